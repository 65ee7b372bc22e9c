/** The window's icons: strokes of a 16-pixel grid in the colour of the text. Decorative: the label says the rest. */

const PATHS = {
  add: 'M8 3v10M3 8h10',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  resume: 'M5 3.2v9.6L12.6 8z',
  retry: 'M12.8 8A4.8 4.8 0 1 1 11.2 4.4M11.4 1.8v2.9H8.5',
  remove: 'M3 4.5h10M6.5 4.5V3h3v1.5M4.3 4.5l.6 8.5h6.2l.6-8.5',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  settings:
    'M2.5 5h5M11.5 5h2M2.5 11h2M8.5 11h5M9.5 3.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6ZM6.5 9.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6Z',
  import: 'M8 2.5v7M5 6.7 8 9.7l3-3M3 10.5v3h10v-3',
  export: 'M8 9.7v-7M5 5.5l3-3 3 3M3 10.5v3h10v-3',
  undo: 'M5.8 3 3 5.8l2.8 2.8M3.2 5.8h5.6a4 4 0 0 1 0 8H6',
  search: 'M7 2.8a4.2 4.2 0 1 1 0 8.4 4.2 4.2 0 0 1 0-8.4ZM10.2 10.2l3.2 3.2',
  close: 'M4 4l8 8M12 4l-8 8',
  all: 'M3 4h10M3 8h10M3 12h10',
  active: 'M8 2.5v8M4.7 7.4 8 10.7l3.3-3.3M3 13.5h10',
  queued: 'M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM8 5v3.2l2 1.4',
  verify: 'M8 2.2 13 4v4c0 3-2.2 4.9-5 5.8C5.2 12.9 3 11 3 8V4zM5.7 8l1.7 1.7L10.5 6.6',
  done: 'M3 8.5l3.3 3.3L13 4.5',
  failed: 'M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM8 5.2v3.4M8 10.8h.01',
  changed: 'M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM6.4 6.4A1.7 1.7 0 1 1 8 8.6v.4M8 11h.01',
  ascending: 'M4.5 9.5 8 6l3.5 3.5',
  descending: 'M4.5 6.5 8 10l3.5-3.5',
  statistics: 'M3 13.5h10M4.5 13.5V9M8 13.5V3.5M11.5 13.5V6.5',
  speed: 'M2.7 12a6 6 0 1 1 10.6 0M8 9.5l2.6-3.6',
  night: 'M12.9 9.6A5.4 5.4 0 0 1 6.4 3.1 5.4 5.4 0 1 0 12.9 9.6Z',
  report: 'M4 2.5h8v11H4zM6.3 5.5h3.4M6.3 8h3.4M6.3 10.5h2',
  forward: 'M6 4l4 4-4 4',
  force: 'M8.8 2.2 4 9h3.6l-.6 4.8L11.8 7H8.2z',
  folder: 'M2.5 4h4l1.2 1.5h5.8v7h-11z',
  hosts: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01',
  copy: 'M5.5 5.5h7v8h-7zM3.5 10.5v-8h7',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}
