/**
 * An engine without network, disk or store, for looking at the window and testing its stores: a scripted world of
 * tasks that progress. Deterministic: the same size and steps give the same world.
 * Long because: it stands in for the whole contract.
 */
import { parseMetalink } from '../../electron/engine/metalink.ts'
import { Profiles } from '../../electron/engine/profiles.ts'
import { type Contract, contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { QueueView } from '../../shared/queues.ts'
import type { Client, EventHub, EventNames, Handlers, MethodNames, PayloadOf } from '../../shared/rpc.ts'
import { NO_SCHEDULE_STATE } from '../../shared/schedule-state.ts'
import type {
  ListTasksInput,
  QueueId,
  SegmentView,
  Selection,
  Settings,
  TaskDelta,
  TaskDetail,
  TaskId,
  TaskRow,
  ThroughputSample,
  UpdateTasksInput,
} from '../../shared/schemas.ts'
import { DEFAULT_QUEUE_ID, DEFAULT_SETTINGS } from '../../shared/schemas.ts'
import { isRunning, isUnfinished, TASK_STATES, type TaskState } from '../../shared/task-state.ts'
import type { Countdown } from '../../shared/unattended.ts'
import { createFakeHosts } from './fake-hosts.ts'
import { createFakeQueues } from './fake-queues.ts'
import { createFakeRepeats } from './fake-repeats.ts'
import { fakeReports } from './fake-reports.ts'
import { fakeStatistics } from './fake-statistics.ts'
import { createFakeVerifications } from './fake-verifications.ts'

export interface FakeEngine {
  readonly handlers: Handlers<Contract>
  readonly events: EventHub<Contract>
  /** lets `ms` of the world's time pass and reports what changed in one frame */
  step(ms: number): void
  /** steps in real time until stopped */
  run(): () => void
  /** sends a frame as the engine would, `missed` revisions after the last one */
  report(change: Partial<TaskDelta>, missed?: number): void
  /** tells whoever listens, as the engine would */
  tell<K extends EventNames<Contract>>(name: K, payload: PayloadOf<Contract, K>): void
  /** something is about to happen to the machine */
  countDown(next: Countdown): void
  /** calls of each method so far */
  readonly calls: Map<string, number>
  readonly tasks: TaskRow[]
}

const NAMES = [
  ['ubuntu-26.04-desktop-amd64.iso', 'releases.ubuntu.example', 6_114_656_256],
  ['debian-13.2.0-amd64-DVD-1.iso', 'cdimage.debian.example', 3_994_091_520],
  ['planet-261116.osm.pbf', 'planet.openstreetmap.example', 86_212_430_911],
  ['big_buck_bunny_1080p_surround.avi', 'download.blender.example', 928_670_754],
  ['enwiki-20261101-pages-articles.xml.bz2', 'dumps.wikimedia.example', 24_318_402_560],
  ['model-weights-00003-of-00012.safetensors', 'models.example', 4_976_698_672],
] as const
const STATES_OF_SIX: TaskState[] = ['active', 'active', 'paused', 'done', 'failed', 'changed']
const FOLDER = '/home/user/Downloads'
/** the world's clock begins here and moves by steps only */
const BEGIN = Date.UTC(2026, 10, 22, 22, 0, 0)

export function createFakeEngine(options: { tasks: number; now?: number }): FakeEngine {
  let now = options.now ?? BEGIN
  let countdown: Countdown | null = null
  let rev = 1
  const tasks = Array.from({ length: options.tasks }, (_, index) => makeTask(index, options.tasks, now))
  let nextId = tasks.length + 1
  let settings: Settings = { ...DEFAULT_SETTINGS, downloadFolder: FOLDER }
  const calls = new Map<string, number>()
  const removals: TaskRow[][] = []
  const updates = new Map<TaskId, Omit<UpdateTasksInput, 'selection'>>()
  const samples: ThroughputSample[] = Array.from({ length: 300 }, (_, index) => ({
    at: now - (300 - index) * 1000,
    bytesPerSecond:
      options.tasks === 0 ? 0 : Math.max(0, 84e6 + 30e6 * Math.sin(index / 23) + 9e6 * Math.sin(index / 3)),
  }))
  const listeners = new Map<string, Set<(payload: never) => void>>()

  function emit<K extends EventNames<Contract>>(name: K, payload: PayloadOf<Contract, K>): void {
    for (const listener of listeners.get(name) ?? []) (listener as (payload: PayloadOf<Contract, K>) => void)(payload)
  }

  function counts(): Record<TaskState, number> {
    const result = Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as Record<TaskState, number>
    for (const task of tasks) result[task.state] += 1
    return result
  }

  function report(change: Partial<TaskDelta>, missed = 0): void {
    const since = rev + missed
    rev = since + 1
    emit('tasks.changed', { since, rev, rows: [], removed: [], listChanged: false, counts: counts(), ...change })
    if (change.listChanged) emit('queues.changed', handlers['queues.list'](undefined) as QueueView[])
  }

  const queueOf = (id: TaskId): QueueId => updates.get(id)?.queueId ?? DEFAULT_QUEUE_ID

  function inQueue(queueId: QueueId): TaskRow[] {
    return tasks.filter((task) => queueOf(task.id) === queueId)
  }

  function matching(query: { states?: readonly TaskState[]; text?: string; queueId?: QueueId }): TaskRow[] {
    const text = query.text?.toLowerCase()
    return tasks.filter(
      (task) =>
        (query.states === undefined || query.states.includes(task.state)) &&
        (query.queueId === undefined || queueOf(task.id) === query.queueId) &&
        (!text || task.filename.toLowerCase().includes(text) || task.url.toLowerCase().includes(text)),
    )
  }

  function selected(selection: Selection): TaskRow[] {
    if ('filter' in selection) return matching(selection.filter)
    const ids = new Set(selection.ids)
    return tasks.filter((task) => ids.has(task.id))
  }

  function move(selection: Selection, from: readonly TaskState[], to: TaskState): { count: number } {
    const moved = selected(selection).filter((task) => from.includes(task.state))
    for (const task of moved) {
      task.state = to
      task.bytesPerSecond = 0
      task.connections = 0
      task.etaMs = null
      if (to === 'queued') task.error = null
    }
    if (moved.length > 0) report({ rows: moved.slice(0, 500).map(copy), listChanged: true })
    return { count: moved.length }
  }

  // The engine's own, over a store that forgets.
  let remembered = NO_SCHEDULE_STATE
  const profiles = new Profiles({
    clock: { now: () => now, monotonic: () => now, setTimeout: () => ({ cancel() {} }) },
    store: {
      scheduleState: () => remembered,
      setScheduleState: (patch) => {
        remembered = { ...remembered, ...patch }
      },
    },
    settings: () => settings,
    changed: () => {},
  })
  profiles.listeners.add((view) => emit('profiles.changed', view))

  const handlers: Handlers<Contract> = {
    'app.info': () => ({ version: '0.1.0', host: 'headless', platform: 'linux', profile: '/profile', freeBytes: 4e11 }),
    'tasks.add': (input) => {
      const items = input.items.map((item) => {
        const known = tasks.find((task) => task.url === item.url && task.state !== 'done')
        if (known && input.onDuplicate === 'skip') return { id: known.id, duplicate: true }
        const id = nextId++
        tasks.push({
          ...makeTask(id - 1, 0, now),
          id,
          url: item.url,
          filename: item.url.split('/').at(-1) || 'download',
          folder: input.folder ?? settings.downloadFolder,
          state: input.paused ? 'paused' : input.startAt ? 'waiting' : 'queued',
          startAt: input.startAt ?? null,
          retryAt: input.startAt ?? null,
          writtenBytes: 0,
          bytesPerSecond: 0,
          connections: 0,
          error: null,
          finishedAt: null,
        })
        return { id, duplicate: false }
      })
      report({ rows: tasks.filter((task) => items.some((item) => item.id === task.id)).map(copy), listChanged: true })
      return { items }
    },
    'tasks.list': (query) => {
      const rows = sorted(matching(query), query)
      return {
        rev,
        total: rows.length,
        rows: rows.slice(query.offset, query.offset + query.limit).map(copy),
        counts: counts(),
      }
    },
    'tasks.get': ({ id }) => detailWith(find(id)),
    'tasks.pause': ({ selection }) => move(selection, ['queued', 'active', 'waiting'], 'paused'),
    'tasks.resume': ({ selection }) => move(selection, ['paused'], 'queued'),
    'tasks.retry': ({ selection }) => move(selection, ['failed', 'waiting'], 'queued'),
    'tasks.remove': ({ selection }) => {
      const removed = new Set(selected(selection).map((task) => task.id))
      const before = [...tasks]
      const kept = tasks.filter((task) => !removed.has(task.id))
      tasks.splice(0, tasks.length, ...kept)
      report({ removed: [...removed], listChanged: true })
      const gone = before.filter((task) => removed.has(task.id))
      removals.push(gone)
      return { count: removed.size, removal: removed.size > 0 ? removals.length : null }
    },
    'tasks.restore': (which) => {
      const back =
        'ids' in which
          ? removals.flat().filter(({ id }) => which.ids.includes(id))
          : (removals[which.removal === 'last' ? removals.length - 1 : which.removal - 1] ?? [])
      const ids = new Set(back.map(({ id }) => id))
      for (const [index, gone] of removals.entries()) removals[index] = gone.filter(({ id }) => !ids.has(id))
      tasks.push(...back)
      tasks.sort((a, b) => a.id - b.id)
      report({ rows: back.map(copy), listChanged: true })
      return { count: back.length }
    },
    'list.export': () => ({
      head: {
        format: 'nighthaul-list',
        version: 1,
        exportedAt: new Date(now).toISOString(),
        secrets: false,
        settings: {},
        queues: [],
        hostRules: [],
      },
      tasks: tasks.map(({ url, folder }) => ({ url, folder })),
      next: null,
      secretsLeftOut: 0,
    }),
    'list.import': () => {
      throw new NighthaulError('internal', 'the fake engine imports nothing')
    },
    ...profiles.handlers,
    ...createFakeRepeats(
      () => now,
      (views) => emit('repeats.changed', views),
    ),
    'notices.list': () => [],
    'notices.dismiss': () => ({ dismissed: false }),
    'removed.list': () => ({ total: 0, rows: [] }),
    'removed.clear': () => ({ count: 0 }),
    ...createFakeVerifications(),
    'tasks.decide': ({ selection, decision }) =>
      move(selection, ['changed'], decision === 'restart' ? 'queued' : 'paused'),
    'tasks.move': ({ ids, to, alreadyThere }) => {
      const moving = tasks.filter((task) => ids.includes(task.id))
      for (const task of moving) {
        task.folder = to.replace(/\/$/, '')
        if (alreadyThere && task.state === 'paused' && task.error) Object.assign(task, { state: 'queued', error: null })
      }
      report({ rows: moving.map(copy) })
      return { moved: moving.map((task) => ({ id: task.id, path: `${task.folder}/${task.filename}` })), failed: [] }
    },
    'url.probe': () => {
      throw new NighthaulError('internal', 'the fake engine has no network')
    },
    'metalink.parse': ({ document, name }) => parseMetalink(document, name),
    'curl.parse': ({ command }) => {
      const url = /https?:\/\/[^\s'"]+/.exec(command)?.[0]
      if (!url) throw new NighthaulError('invalid_input', 'The cURL command cannot be used (no URL in it).')
      return { items: [{ url, options: { method: 'POST', body: { text: 'a=1' } } }] }
    },
    'power.changed': ({ source }) => ({ source }),
    'activity.get': () => ({ working: false, keepAwake: false, files: 0 }),
    'countdown.get': () => countdown,
    'countdown.cancel': () => {
      const cancelled = countdown !== null
      countdown = null
      emit('countdown.changed', null)
      return { cancelled }
    },
    'network.changed': () => ({ retried: 0 }),
    'settings.get': () => settings,
    'settings.set': (patch) => {
      settings = { ...settings, ...patch }
      emit('settings.changed', settings)
      return settings
    },
    'tasks.update': ({ selection, ...change }) => {
      const chosen = selected(selection).filter((task) => isUnfinished(task.state))
      for (const task of chosen) {
        updates.set(task.id, { ...updates.get(task.id), ...change })
        if (change.startAt === undefined) continue
        const { startAt } = change
        const state = startAt === null ? 'queued' : 'waiting'
        Object.assign(task, { startAt, retryAt: startAt, state, error: null, bytesPerSecond: 0, connections: 0 })
      }
      report({ rows: chosen.map(copy), listChanged: true })
      return { count: chosen.length }
    },
    'tasks.force': ({ selection }) => move(selection, ['queued', 'waiting', 'paused', 'failed'], 'active'),
    'tasks.reorder': ({ selection, before }) => {
      const chosen = selected(selection)
      const others = tasks.filter((task) => !chosen.includes(task))
      const at = before === null ? -1 : before === 'first' ? 0 : others.findIndex(({ id }) => id === before)
      others.splice(at < 0 ? others.length : at, 0, ...chosen)
      tasks.splice(0, tasks.length, ...others)
      report({ rows: chosen.map(copy), listChanged: true })
      return { count: chosen.length }
    },
    'tasks.refreshLink': ({ id, url }) => {
      const task = tasks.find((known) => known.id === id)
      if (!task) throw new NighthaulError('task_not_found', `There is no task ${id}. Nothing was changed.`, { id })
      task.url = url
      move({ ids: [id] }, ['paused', 'failed', 'changed', 'waiting', 'active'], 'queued')
      return { id }
    },
    ...createFakeHosts(() => now),
    ...createFakeQueues({
      now: () => now,
      counts: (queueId) => {
        const open = inQueue(queueId).filter(
          ({ state }) => isRunning(state) || state === 'queued' || state === 'waiting',
        )
        return { open: open.length, running: open.filter(({ state }) => isRunning(state)).length }
      },
      changed: (queues) => emit('queues.changed', queues),
      openOf: (queueId) =>
        inQueue(queueId).filter(({ state }) => isRunning(state) || state === 'queued' || state === 'waiting'),
      profileAt: (instant) => profiles.at(instant),
      moveAll: (from, to) => {
        const moved = inQueue(from)
        for (const { id } of moved) updates.set(id, { ...updates.get(id), queueId: to })
        return moved.length
      },
    }),
    'throughput.history': () => ({ samples: [...samples] }),
    ...fakeReports(options.tasks, () => now),
    ...fakeStatistics(hostsOf(options.tasks), () => now),
  }

  function detailWith(task: TaskRow): TaskDetail {
    const { queueId = DEFAULT_QUEUE_ID, limitBytesPerSecond, connections } = updates.get(task.id) ?? {}
    const options = { ...(limitBytesPerSecond && { limitBytesPerSecond }), ...(connections && { connections }) }
    return { ...detail(task), queueId, options }
  }

  function find(id: TaskId): TaskRow {
    const task = tasks.find((candidate) => candidate.id === id)
    if (!task) throw new NighthaulError('task_not_found', `There is no download ${id} in the list.`, { id })
    return task
  }

  function step(ms: number): void {
    now += ms
    const changed = new Set<TaskRow>()
    let listChanged = false
    const queued = tasks.filter((task) => task.state === 'queued')
    const free = settings.downloadsAtOnce - tasks.filter((task) => isRunning(task.state)).length
    for (const task of queued.slice(0, Math.max(0, free))) {
      task.state = 'active'
      task.connections = 6
      changed.add(task)
      listChanged = true
    }
    for (const task of tasks) {
      if (task.state !== 'active') continue
      const rate = 18e6 + 6e6 * Math.sin(now / 4000 + task.id)
      task.bytesPerSecond = rate
      task.writtenBytes = Math.min(task.sizeBytes ?? Infinity, task.writtenBytes + (rate * ms) / 1000)
      task.etaMs = task.sizeBytes === null ? null : ((task.sizeBytes - task.writtenBytes) / rate) * 1000
      changed.add(task)
      if (task.writtenBytes === task.sizeBytes) {
        Object.assign(task, { state: 'done', bytesPerSecond: 0, connections: 0, etaMs: null, finishedAt: now })
        listChanged = true
      }
    }
    if (changed.size > 0) report({ rows: [...changed].map(copy), listChanged })
    if (Math.floor(now / 1000) !== Math.floor((now - ms) / 1000)) {
      const bytesPerSecond = tasks.reduce((sum, task) => sum + task.bytesPerSecond, 0)
      const sample = { at: now, bytesPerSecond }
      samples.push(sample)
      emit('throughput.tick', sample)
    }
  }

  return {
    handlers: counted(handlers, calls),
    events: {
      subscribe(name, listener) {
        const all = listeners.get(name) ?? new Set()
        listeners.set(name, all)
        all.add(listener as never)
        return { setVisible() {}, dispose: () => all.delete(listener as never) }
      },
    },
    step,
    run() {
      const timer = setInterval(step, 250, 250)
      return () => clearInterval(timer)
    },
    report,
    tell: emit,
    countDown(next) {
      countdown = next
      emit('countdown.changed', next)
    },
    calls,
    tasks,
  }
}

/** A client that calls the fake engine directly, parsing inputs as every transport does. */
export function directClient(engine: Pick<FakeEngine, 'handlers' | 'events'>): Client<Contract> & { drop(): void } {
  const onClose: (() => void)[] = []
  let closed = false
  const close = (): void => {
    if (closed) return
    closed = true
    for (const listener of onClose) listener()
  }
  return {
    async call(name, ...input) {
      await Promise.resolve()
      if (closed) throw new NighthaulError('disconnected', 'the channel is closed')
      const handler = engine.handlers[name as MethodNames<Contract>] as (input: unknown) => never
      return handler(contract[name as MethodNames<Contract>].input.parse(input[0]))
    },
    async subscribe(name, listener, options) {
      return engine.events.subscribe(name, (payload) => !closed && listener(payload), {
        visible: options?.visible ?? true,
      })
    },
    close,
    drop: close,
    onClose: (listener) => onClose.push(listener),
  }
}

function counted(handlers: Handlers<Contract>, calls: Map<string, number>): Handlers<Contract> {
  const entries = Object.entries(handlers).map(([name, handler]) => [
    name,
    (input: never) => {
      calls.set(name, (calls.get(name) ?? 0) + 1)
      return (handler as (input: never) => unknown)(input)
    },
  ])
  return Object.fromEntries(entries) as Handlers<Contract>
}

/** A world of many tasks has many hosts. */
function hostsOf(world: number): string[] {
  const many = Array.from({ length: Math.min(world, 1000) }, (_, index) => `mirror-${index + 1}.example`)
  return world === 0 || world > NAMES.length ? many : NAMES.map(([, host]) => host)
}

const copy = (task: TaskRow): TaskRow => ({ ...task })

function makeTask(index: number, world: number, now: number): TaskRow {
  const [name, host, size] = NAMES[index % NAMES.length]!
  const many = world > NAMES.length
  const filename = many ? name.replace(/(\.[a-z.0-9]+)$/i, `-${String(index + 1).padStart(5, '0')}$1`) : name
  const state = many ? stateOfMany(index) : STATES_OF_SIX[index % STATES_OF_SIX.length]!
  const sizeBytes = many ? Math.floor(size / (1 + (index % 97))) : size
  const share = state === 'done' ? 1 : state === 'queued' ? 0 : ((index * 37 + 23) % 89) / 100
  const writtenBytes = Math.floor(sizeBytes * share)
  return {
    id: index + 1,
    url: `https://${host}/pub/${filename}`,
    filename,
    folder: FOLDER,
    state,
    sizeBytes,
    writtenBytes,
    copiedBytes: null,
    bytesPerSecond: state === 'active' ? 18e6 : 0,
    etaMs: state === 'active' ? ((sizeBytes - writtenBytes) / 18e6) * 1000 : null,
    connections: state === 'active' ? 6 : 0,
    resumable: state === 'queued' ? null : true,
    error: errorOf(state, host),
    retryAt: state === 'waiting' ? now + 42_000 : null,
    startAt: null,
    createdAt: now - (world - index) * 60_000,
    finishedAt: state === 'done' ? now - 120_000 : null,
    verifying: null,
    verified: null,
  }
}

function stateOfMany(index: number): TaskState {
  if (index < 4) return 'active'
  return (['queued', 'done', 'done', 'paused', 'queued', 'failed', 'waiting', 'queued'] as const)[index % 8]!
}

function errorOf(state: TaskState, host: string): TaskRow['error'] {
  if (state === 'failed')
    return {
      code: 'forbidden',
      message: `The server ${host} denies access (403); 9.73 GB of the partial are kept. Get a fresh link from the website and add it.`,
      params: { status: 403, host },
    }
  if (state === 'waiting')
    return { code: 'too_many_requests', message: `${host} asks to slow down (429).`, params: { host, status: 429 } }
  if (state === 'changed')
    return {
      code: 'remote_changed',
      message: `The file on ${host} is another one now (its ETag differs). The partial is kept. Download the new file, or keep the partial.`,
      params: { host },
    }
  return null
}

function sorted(rows: TaskRow[], query: ListTasksInput): TaskRow[] {
  const keys: Record<Exclude<ListTasksInput['sort'], 'position'>, (task: TaskRow) => number | string> = {
    name: (task) => task.filename.toLowerCase(),
    size: (task) => task.sizeBytes ?? -1,
    progress: (task) => (task.sizeBytes ? task.writtenBytes / task.sizeBytes : 0),
    state: (task) => TASK_STATES.indexOf(task.state),
    created: (task) => task.createdAt,
  }
  // The world's own order is that of their positions.
  if (query.sort === 'position') return query.descending ? rows.toReversed() : rows
  const key = keys[query.sort]
  const direction = query.descending ? -1 : 1
  return [...rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)]
    return (x < y ? -1 : x > y ? 1 : a.id - b.id) * direction
  })
}

function strategyOf(task: TaskRow): TaskDetail['strategy'] {
  if (task.state === 'queued') return [{ code: 'waiting_for_turn', params: { atOnce: 4 } }]
  const host = new URL(task.url).host
  return [
    { code: 'host_allowance', params: { connections: 6, host } },
    { code: 'http1_for_one_file', params: {} },
  ]
}

function detail(task: TaskRow): TaskDetail {
  const size = task.sizeBytes ?? 0
  const parts = 6
  const segments: SegmentView[] = Array.from({ length: parts }, (_, index) => {
    const start = Math.floor((size / parts) * index)
    const end = Math.floor((size / parts) * (index + 1))
    const share = Math.min(1, (task.writtenBytes / Math.max(1, size)) * (0.6 + 0.16 * index))
    const writtenBytes = task.state === 'done' ? end - start : Math.floor((end - start) * share)
    const active = task.state === 'active' && writtenBytes < end - start
    return { start, end, writtenBytes, durableBytes: writtenBytes, active, bytesPerSecond: active ? 3e6 : 0 }
  })
  const path = `${task.folder}/${task.filename}`
  const digest = { algorithm: 'sha-256' as const, value: 'c7d3b2'.padEnd(64, '9f0a41e5') }
  return {
    ...task,
    finalUrl: task.state === 'queued' ? null : task.url.replace('https://', 'https://mirror-7.'),
    path: task.state === 'done' ? path : null,
    partPath: task.state === 'done' ? null : `${path}.part`,
    etag: '"16c5a8c2d0-6219f3e4b5a40"',
    lastModified: 'Thu, 16 Oct 2026 09:12:44 GMT',
    contentType: 'application/octet-stream',
    mirrors: [],
    httpVersion: '1.1',
    segments,
    attempts: 1,
    secondChances: 0,
    startedAt: task.createdAt,
    connectionsUsed: 6,
    strategy: strategyOf(task),
    checksum: task.state === 'done' ? { ...digest, verified: true, source: 'repr-digest', from: null } : null,
    expected: task.state === 'queued' ? [] : [{ ...digest, source: 'repr-digest' }],
    badFiles: [],
    verification: null,
    resumedFromBytes: 0,
    durable: task.state === 'done',
    queueId: DEFAULT_QUEUE_ID,
    options: {},
  }
}
