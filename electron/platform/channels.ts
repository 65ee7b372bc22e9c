/** Names of the few IPC messages between the preload and the main process. Everything else goes over the engine's port. */
export const CHANNELS = {
  /** preload -> main: hand over a new port; main -> preload: here it is */
  requestPort: 'shell:request-port',
  port: 'shell:port',
  chooseFolder: 'shell:choose-folder',
  showInFolder: 'shell:show-in-folder',
  openFile: 'shell:open-file',
  /** main -> preload: a page is wanted; preload -> main, then and at the start: which */
  pageWanted: 'shell:page-wanted',
  takePage: 'shell:take-page',
} as const
