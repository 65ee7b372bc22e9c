/** Where the keyboard goes when what it was on is gone: to the list or the page in its place, never to nowhere. */
export function focusList(): void {
  listElement()?.focus()
}

export function listElement(): HTMLElement | null {
  return document.querySelector<HTMLElement>('.grid, .stats, .page')
}
