/** What the soak downloads: files of every size from servers with every kind of fault, each with what must come of it. */
import type { ErrorCode } from '../../shared/errors.ts'
import type { TaskOptions } from '../../shared/schemas.ts'
import { contentSha256 } from '../helpers/bytes.ts'
import { type FaultScript, faults, type Resource } from '../helpers/fault-server.ts'
import type { Random } from './random.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** Few, because their content is kept in memory. */
const SEEDS = [1, 2, 3]
const MANY_TRIES = 200

/** `http2`: over TLS, too; `moody`: the one that answers 429 and 503, which holds up all downloads of a host. */
export type ServerName = 'plain' | 'tls' | 'http2' | 'moody'

export interface Job {
  readonly path: string
  readonly kind: string
  readonly server: ServerName
  readonly resource: Resource
  readonly script: FaultScript | null
  readonly options: TaskOptions
  /** what the file may hold, whole and unmixed: more than one where it changes on the server */
  readonly versions: readonly { seed: number; size: number }[]
  /** codes of failures that are right; empty: it must succeed */
  readonly mayFail: readonly ErrorCode[]
  /** served beside the file itself: where redirects lead */
  readonly target?: { path: string; resource: Resource }
}

type Recipe = (random: Random, file: Resource, path: string) => Partial<Omit<Job, 'path' | 'kind'>>

/** The fault on the first `count` requests, then none. */
const atFirst =
  (count: number, fault: (index: number) => ReturnType<FaultScript>): FaultScript =>
  (_request, index) =>
    index < count ? fault(index) : null

const somewhere = (random: Random, file: Resource) => random.whole(0, Math.max(0, file.size - 1))
const always =
  (fault: () => ReturnType<FaultScript>): FaultScript =>
  () =>
    fault()
const hopeless =
  (fault: () => ReturnType<FaultScript>, ...mayFail: ErrorCode[]): Recipe =>
  () => ({ script: always(fault), mayFail })

const RECIPES: readonly (readonly [weight: number, kind: string, recipe: Recipe])[] = [
  [30, 'none', () => ({})],
  [8, 'tls', () => ({ server: 'tls' })],
  [6, 'slow', (random, file) => ({ resource: { ...file, rateBytesPerSecond: random.whole(200 * KIB, 4 * MIB) } })],
  [
    8,
    'reset',
    (random, file) => ({ script: atFirst(random.whole(1, 8), () => faults.resetAt(somewhere(random, file))) }),
  ],
  [
    6,
    'cut short',
    (random, file) => ({ script: atFirst(random.whole(1, 8), () => faults.truncateAt(somewhere(random, file))) }),
  ],
  [
    3,
    'stall',
    (random, file) => ({ script: atFirst(random.whole(1, 3), () => faults.stallAt(somewhere(random, file))) }),
  ],
  [2, 'silent', (random) => ({ script: atFirst(random.whole(1, 2), () => faults.silent()) })],
  [2, 'no reply', (random) => ({ script: atFirst(random.whole(1, 4), () => faults.closeImmediately('reset')) })],
  [
    2,
    '429 and 503',
    (random) => ({
      server: 'moody',
      script: atFirst(random.whole(1, 3), () => faults.retryAfter(random.whole(0, 2), random.pick([429, 503]))),
    }),
  ],
  [2, '500', (random) => ({ script: atFirst(random.whole(1, 4), () => faults.status(500)) })],
  [3, 'If-Range ignored', () => ({ script: always(faults.ifRange200) })],
  [
    3,
    'ranges ignored',
    (random, file) => ({
      script: (_request, index) => [
        faults.ignoreRange(),
        ...(index === 0 ? [faults.resetAt(somewhere(random, file))] : []),
      ],
    }),
  ],
  [2, 'weak validator', () => ({ script: always(faults.weakEtag) })],
  [2, 'no validator', () => ({ script: always(faults.noValidators) })],
  [2, 'no length', (random) => ({ script: always(() => faults.noLength(random.pick(['chunked', 'close']))) })],
  [2, 'short ranges', (random) => ({ script: always(() => faults.shortRange(random.whole(64 * KIB, 2 * MIB))) })],
  [2, 'broken chunk', (random, file) => ({ script: atFirst(2, () => faults.badChunk(somewhere(random, file))) })],
  [
    2,
    'compressed',
    (_random, file) => ({
      ...(file.size > 2 * MIB ? {} : { script: always(faults.contentEncoding) }),
    }),
  ],
  [
    4,
    'redirect',
    (_random, file, path) => ({
      script: always(() => faults.redirect(`/target${path}`)),
      target: { path: `/target${path}`, resource: file },
    }),
  ],
  [
    3,
    'changes',
    (random, file) => {
      const next = { seed: random.pick(SEEDS), size: file.size + random.whole(0, 100) }
      const at = random.whole(1, 3)
      return {
        script: (_request, index) =>
          index === at ? faults.changeContent(next) : index < at ? faults.resetAt(somewhere(random, file)) : null,
        options: { onChange: 'restart' },
        versions: [{ seed: file.seed, size: file.size }, next],
      }
    },
  ],
  [
    3,
    'right checksum',
    (_random, { seed, size }) => ({
      options: { checksum: { algorithm: 'sha-256', value: contentSha256(seed, size) } },
    }),
  ],
  [
    1,
    'wrong checksum',
    () => ({
      options: { checksum: { algorithm: 'sha-256', value: '0'.repeat(64) } },
      mayFail: ['checksum_mismatch'],
    }),
  ],
  [1, '404', hopeless(() => faults.status(404), 'not_found')],
  [1, '410', hopeless(() => faults.status(410), 'gone')],
  [1, '403', hopeless(() => faults.status(403), 'forbidden')],
  [1, 'login page', hopeless(() => faults.html(), 'html_instead_of_file')],
  [1, 'multipart', hopeless(() => faults.multipart(), 'multipart_refused')],
  [1, 'no Content-Range', hopeless(() => faults.wrongContentRange('missing'), 'range_missing')],
  [1, 'wrong Content-Range', hopeless(() => faults.wrongContentRange({ shift: 1 }), 'range_mismatch')],
  [1, 'redirects in a circle', hopeless(() => faults.redirectLoop(), 'too_many_redirects')],
]

/** The `number`th of a soak. */
export function makeJob(random: Random, number: number): Job {
  const path = `/${number}.bin`
  const file: Resource = { size: sizeOf(random), seed: random.pick(SEEDS) }
  const [kind, recipe] = random.weighted(RECIPES.map(([weight, kind, recipe]) => [weight, [kind, recipe]] as const))
  const { options, ...made } = recipe(random, file, path)
  const { seed, size } = file
  return {
    path,
    kind,
    server: random.weighted([
      [6, 'plain'],
      [2, 'tls'],
      [2, 'http2'],
    ] as const),
    resource: file,
    script: null,
    versions: [{ seed, size }],
    mayFail: [],
    ...made,
    options: {
      retries: MANY_TRIES,
      ...(random.chance(0.3) ? { connections: random.whole(1, 8) } : {}),
      ...(random.chance(0.1) ? { limitBytesPerSecond: Math.max(64 * KIB, Math.round(size / 8)) } : {}),
      ...options,
    },
  }
}

function sizeOf(random: Random): number {
  return random.weighted<() => number>([
    [3, () => 0],
    [3, () => 1],
    [44, () => random.magnitude(2, 100 * KIB)],
    [38, () => random.magnitude(100 * KIB, 4 * MIB)],
    [10, () => random.whole(4 * MIB, 20 * MIB)],
    [2, () => random.whole(50 * MIB, 80 * MIB)],
  ])()
}
