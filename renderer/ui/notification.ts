/** Notifications of a browser that may show them; the app shows its own. */

/** Where it may not, what the window says is what remains. A click brings the window to the front. */
export function showNotification(title: string, body: string, onClick: () => void): void {
  if (window.nighthaul || !('Notification' in window) || Notification.permission !== 'granted') return
  const notification = new Notification(title, { body })
  notification.onclick = () => {
    window.focus()
    onClick()
  }
}
