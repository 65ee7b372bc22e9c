/**
 * English words for every error code: what happened (short enough for a row) and the next step. The engine's own
 * sentence, with what was kept, is shown beside them in the details.
 */
import type { ErrorCode } from './errors.ts'

export interface ErrorWords {
  /** placeholders such as {{status}} are filled from the error's params */
  title: string
  next: string
}

export const errorsEn: Record<ErrorCode, ErrorWords> = {
  usage: { title: 'The request was not understood', next: 'Check what you typed.' },
  invalid_url: { title: 'Not a valid link', next: 'Check the address and add it again.' },
  unsupported_scheme: {
    title: 'This kind of link is not supported',
    next: 'Use a link that begins with https:// or http://.',
  },
  invalid_input: { title: 'A value is not allowed', next: 'Correct it and try again.' },
  invalid_metalink: { title: 'This Metalink cannot be used', next: 'Get it again, or add a mirror’s link by hand.' },
  invalid_filename: { title: 'The file name cannot be used', next: 'Add the link again with another name.' },

  dns_not_found: { title: 'Server not found', next: 'Check the address and your connection, then retry.' },
  connect_refused: { title: 'The server refused the connection', next: 'It may be down: retry later.' },
  connect_timeout: { title: 'The server did not answer', next: 'Check your connection, then retry.' },
  network_away: { title: 'Network away', next: 'Nothing: downloads go on by themselves when it is back.' },
  network_unreachable: { title: 'No network', next: 'Connect to a network, then retry.' },
  headers_timeout: { title: 'The server took too long to reply', next: 'Retry later.' },
  stalled: { title: 'No data arrived for too long', next: 'Retry: it continues from here.' },
  connection_reset: { title: 'The connection was cut', next: 'Retry: it continues from here.' },
  connection_closed: { title: 'The server closed the connection early', next: 'Retry: it continues from here.' },
  no_free_connection: {
    title: 'All connections are in use',
    next: 'It is tried again; the settings say how many there may be.',
  },
  tls_failed: {
    title: 'No secure connection',
    next: 'The certificate was not accepted: check the address and your clock.',
  },
  proxy_failed: { title: 'The proxy did not work', next: 'Check the proxy in the settings.' },
  protocol_error: { title: 'The server’s reply makes no sense', next: 'Retry, or ask whoever runs the server.' },
  too_many_redirects: { title: 'The link leads in circles', next: 'Get a fresh link from the website.' },
  redirect_invalid: { title: 'The link leads nowhere', next: 'Get a fresh link from the website.' },

  http_status: { title: 'The server refused (status {{status}})', next: 'Check the link, then retry.' },
  redirect_refused: {
    title: 'The site sent the form data elsewhere',
    next: 'Nothing was sent there: copy the request again from the browser.',
  },
  unauthorized: { title: 'The server wants a name and password', next: 'Add the link again with your login.' },
  forbidden: {
    title: 'The server denies access',
    next: 'The link may have expired: get a fresh one from the website.',
  },
  not_found: { title: 'The file is not there (404)', next: 'Check the link, or get a fresh one from the website.' },
  gone: { title: 'The file was removed from the server', next: 'Look for it elsewhere.' },
  too_many_requests: { title: 'The server asks to slow down', next: 'It is tried again when the server allows it.' },
  host_refuses: {
    title: 'The server denied one download after the other',
    next: 'It is left alone for a while and then tried again.',
  },
  server_error: { title: 'The server has a problem', next: 'Retry later.' },

  range_missing: {
    title: 'The server resumed at an unknown place',
    next: 'The reply was refused; retry, or start over.',
  },
  range_mismatch: { title: 'The server sent the wrong part', next: 'The reply was refused; retry.' },
  range_not_satisfiable: {
    title: 'The server no longer has this part',
    next: 'The file may have changed: retry to find out.',
  },
  multipart_refused: { title: 'The server sent parts in an unusable form', next: 'Retry with one connection.' },
  size_mismatch: {
    title: 'The file does not have the size it should have',
    next: 'Look for a newer Metalink, or add another mirror.',
  },
  total_mismatch: { title: 'The file’s size changed meanwhile', next: 'Retry to compare it with what you have.' },
  validator_mismatch: {
    title: 'The reply belongs to another version',
    next: 'Retry to compare it with what you have.',
  },
  too_many_bytes: { title: 'The server sent more than it announced', next: 'The surplus was refused; retry.' },
  length_mismatch: { title: 'The server sent less than it announced', next: 'Retry: it continues from here.' },
  encoded_range: {
    title: 'The server compressed a part of the file',
    next: 'The reply was refused; retry with one connection.',
  },
  unsupported_encoding: { title: 'The server compresses in an unknown way', next: 'Ask whoever runs the server.' },
  html_instead_of_file: {
    title: 'A web page came instead of the file',
    next: 'Sign in on the website and get a fresh link.',
  },
  checksum_mismatch: {
    title: 'The file does not match its checksum',
    next: 'Check the checksum, or download it again.',
  },
  blocks_damaged: { title: 'Parts of the file are damaged', next: 'Retry: only those parts are fetched again.' },
  not_resumable: { title: 'The server cannot resume this file', next: 'Retry: it starts from the beginning.' },

  remote_changed: {
    title: 'The file on the server has changed',
    next: 'Choose: download the new file, or keep the partial.',
  },

  disk_full: { title: 'The disk is full', next: 'Free some space: it goes on by itself.' },
  folder_not_writable: {
    title: 'The folder cannot be written',
    next: 'Change its permissions and it goes on by itself, or choose another folder.',
  },
  folder_missing: { title: 'The folder is gone', next: 'Connect its drive, or bring it back: it goes on by itself.' },
  read_only: {
    title: 'The disk is read-only',
    next: 'Make it writable and it goes on by itself, or move the download to another disk.',
  },
  name_too_long: { title: 'The file name is too long', next: 'Add the link again with a shorter name.' },
  file_exists: { title: 'A file with this name is already there', next: 'Move or rename it, then retry.' },
  file_missing: {
    title: 'The file is not where it was',
    next: 'Bring it back, or add the download anew.',
  },
  partial_missing: {
    title: 'The partial file is gone',
    next: 'Bring it back or locate it, and it goes on; or retry to start over.',
  },
  file_too_large: { title: 'The file is too large for this disk', next: 'Move the download to another disk.' },
  file_differs: { title: 'This is not the file of the download', next: 'Nothing was changed: choose another file.' },
  io_error: { title: 'The disk reported an error', next: 'Check the disk: it is tried again by itself.' },
  too_many_open_files: { title: 'Too many files are open', next: 'Close other programs, then retry.' },

  profile_locked: { title: 'Another Nighthaul uses this profile', next: 'Close it, or use its window.' },
  store_newer: { title: 'The list was written by a newer version', next: 'Update Nighthaul.' },
  store_corrupt: {
    title: 'The list was damaged',
    next: 'What could be read was saved; the damaged file was set aside.',
  },
  list_file_invalid: { title: 'This is no exported list', next: 'Nothing was imported. Choose another file.' },
  backup_unusable: { title: 'This is no sound backup', next: 'Choose another one.' },
  store_busy: { title: 'The list is busy', next: 'Try again in a moment.' },

  task_not_found: { title: 'This download is no longer in the list', next: 'Add its link again.' },
  task_leased: { title: 'Another process works on this download', next: 'Wait until it is done.' },
  task_state: { title: 'This is not possible now', next: 'Look at the download’s state and try again.' },

  nothing_missed: { title: 'No window was missed', next: 'Force single downloads to run them now.' },
  repeat_not_found: { title: 'There is no such repeating download any more', next: 'Look at the list again.' },
  queue_not_found: { title: 'There is no such queue any more', next: 'Choose another one.' },
  queue_exists: { title: 'There is a queue of this name already', next: 'Choose another name.' },
  queue_is_default: { title: 'The default queue cannot be removed', next: 'Rename it if you like.' },

  unknown_method: { title: 'The window and the engine differ in version', next: 'Reload the window.' },
  access_denied: { title: 'Access denied', next: 'Open the address that “nighthaul serve” printed.' },
  disconnected: { title: 'The engine is away', next: 'Try again when it is back.' },
  frame_invalid: { title: 'The engine’s message was not understood', next: 'Reload the window.' },
  engine_stopped: { title: 'The engine is stopping', next: 'Try again when it is back.' },
  worker_lost: { title: 'A part of the engine ended', next: 'It starts again by itself.' },
  internal: { title: 'Something unexpected happened', next: 'Retry; if it happens again, please report it.' },
  interrupted: { title: 'Interrupted', next: 'Resume: it continues from here.' },
}
