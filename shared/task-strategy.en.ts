/** Reasons of shared/task-strategy.ts as English sentences, for the command line and, as one language, the window. */
import { formatBytes, formatCount, formatDuration, formatRate } from './format.ts'
import type { TaskStrategyCode, TaskStrategyReason } from './task-strategy.ts'

/** Placeholders are filled from the reason's params. */
export const taskStrategyEn: Record<TaskStrategyCode, string> = {
  measuring: 'One connection is measured before another is tried.',
  ramping: 'Connections: {{connections}}, up from {{before}}, to see whether more bring more.',
  cap_reached: 'Connections: {{connections}}, as many as are set for one download.',
  ramp_stopped: 'Connections: {{connections}}. More of them added only {{gainPercent}} %, so they were given back.',
  one_connection_enough: 'One connection. A second one added only {{gainPercent}} %.',
  one_connection_wanted: 'One connection, as is set for this download.',
  host_allowance: 'Connections: {{connections}}. “{{host}}” has no place for another one.',
  host_quiet: '“{{host}}” asked to be left alone for {{waitMs}}.',
  host_struggles: 'Connections: {{connections}}. The server refused or broke further ones, so they have to wait.',
  no_ranges: 'One connection, because the server sends the file only as a whole.',
  small_file: 'No further connection: what is left ({{remainingBytes}}) is here before another one could help.',
  rate_limited: 'Connections: {{connections}}, which reach the speed limit already.',
  machine_busy: 'Connections: {{connections}}. They bring as much as this machine can take at once.',
  stalled: 'Nothing came for a while, so another connection was tried: {{connections}} in all.',
  hedging: 'The last bytes of a slow connection are fetched by a second one too.',
  restarted: 'A connection far behind the others was made anew.',
  waiting_for_turn: 'It waits for its turn: downloads at once are set to {{atOnce}}.',
  queue_stopped: 'Its queue is stopped.',
  waiting_for_power: 'It waits until the machine runs on mains power again.',
  shortest_first: 'Not all of its queue can be there in time, so the shortest downloads come first.',
  lent_to_deadline:
    'Its queue does with less ({{atOnce}} at once, {{bytesPerSecond}}), because {{queues}} would not be done in time.',
  borrowed_for_deadline: '{{queues}} do with less, so that its queue is done in time.',
  waiting_for_window: 'It waits for its queue’s window, which opens in {{opensInMs}}.',
  waiting_for_start: 'It was to start later: in {{waitMs}}.',
  waiting_for_owner: 'It waits until the app or “nighthaul serve” runs.',
  waiting_retry_after: '“{{host}}” asked for a pause; it goes on in {{waitMs}}.',
  waiting_host_refuses: '“{{host}}” refused one download after the other; it is tried again in {{waitMs}}.',
  waiting_to_retry: 'Failed tries: {{attempts}}. The next one comes in {{waitMs}}.',
  waiting_second_chance:
    'It failed and was put at the end of its queue, time {{chance}}. It is tried again in {{waitMs}}.',
  waiting_for_network: 'The network is away. Whether it is back is looked at in {{waitMs}}; nothing is lost meanwhile.',
  using_mirror: 'From the mirror “{{host}}”, because “{{first}}” failed ({{reason}}).',
  using_other_mirror: 'From the mirror “{{host}}”.',
  waiting_for_host: 'Other downloads from “{{host}}” use all of its places ({{connections}}).',
  host_slowed: '“{{host}}” asked for fewer requests, so it gets {{allowed}} connections at most instead of {{usual}}.',
  host_slowed_refusing:
    '“{{host}}” refused one download after the other, so it gets {{allowed}} connections at most instead of {{usual}}.',
  http2_multiplexed: 'HTTP/2: requests to this host share one connection.',
  http1_for_one_file: 'HTTP/1.1, because one large file takes less work over it than over HTTP/2.',
  streaming: 'Read from front to end, because the server does not say how long the file is.',
  streaming_decoded: 'Read from front to end, because the server compresses it on the way ({{encoding}}).',
  batch: 'A small file: one request fetches all of it, over a connection that other files of this host use too.',
  speed_limit_task: 'No faster than {{bytesPerSecond}}, as is set for this download.',
  speed_limit_queue: 'No faster than {{bytesPerSecond}} together with the others of its queue, as is set for that.',
  speed_limit_host: 'No faster than {{bytesPerSecond}} together with others from this host, as is set for that.',
  speed_limit_all: 'No faster than {{bytesPerSecond}} together with all other downloads, as is set.',
}

/** The sentence of a reason, in the language of `words`; its params are written by the unit in their names. */
export function strategySentence(
  { code, params }: TaskStrategyReason,
  words: Record<TaskStrategyCode, string> = taskStrategyEn,
): string {
  return words[code].replace(/\{\{(\w+)\}\}/g, (_, name: string) => valueText(name, params[name] ?? '?'))
}

function valueText(name: string, value: string | number): string {
  if (typeof value === 'string') return value
  if (name.endsWith('Ms')) return formatDuration(value)
  if (/bytesPerSecond$/i.test(name)) return formatRate(value)
  return /bytes$/i.test(name) ? formatBytes(value) : formatCount(value)
}
