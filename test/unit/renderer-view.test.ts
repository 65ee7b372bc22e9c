/** The window's pure parts: pages and deltas, selection, keys, links, forms, words. */
import { describe, expect, it } from 'vitest'
import { retryDelayMs } from '../../renderer/connect.ts'
import {
  findChecksums,
  findLinks,
  readChecksum,
  readLinks,
  readPastedChecksums,
} from '../../renderer/features/add/links.ts'
import { abilitiesOf } from '../../renderer/features/queue/abilities.ts'
import { listCommand } from '../../renderer/features/queue/list-keys.ts'
import { readForm, toForm } from '../../renderer/features/settings/settings-form.ts'
import { en } from '../../renderer/i18n/en.ts'
import { errorWords } from '../../renderer/i18n/error-words.ts'
import {
  extendTo,
  isSelected,
  NOTHING_SELECTED,
  refocus,
  selectAll,
  selectOnly,
  toContract,
  toggle,
  withoutRemoved,
} from '../../renderer/stores/selection.ts'
import {
  applyDelta,
  applyPage,
  EMPTY_VIEW,
  idAt,
  idsBetween,
  indexOf,
  PAGE_ROWS,
  pagesToLoad,
  type TaskView,
} from '../../renderer/stores/task-view.ts'
import { mergeSamples, WINDOW_MS } from '../../renderer/stores/throughput.ts'
import { ERROR_KINDS, type ErrorCode } from '../../shared/errors.ts'
import { DEFAULT_SETTINGS, type ListTasksInput, type TaskDelta, type TaskPage } from '../../shared/schemas.ts'
import { createFakeEngine } from '../helpers/fake-engine.ts'

const BY_POSITION = { sort: 'position', descending: false } as const
const TOP = { first: 0, last: 20 }

async function pageOf(tasks: number, page: number): Promise<TaskPage> {
  const query: ListTasksInput = { ...BY_POSITION, offset: page * PAGE_ROWS, limit: PAGE_ROWS }
  return createFakeEngine({ tasks }).handlers['tasks.list'](query)
}

async function loaded(tasks: number): Promise<TaskView> {
  return applyPage(EMPTY_VIEW, 0, await pageOf(tasks, 0), TOP)
}

function delta(view: TaskView, change: Partial<TaskDelta> = {}): TaskDelta {
  const { rev, counts } = view
  return { since: rev, rev: rev + 1, rows: [], removed: [], listChanged: false, counts, ...change }
}

describe('pages', () => {
  it('asks for the first page alone at the beginning, whatever the viewport', () => {
    expect(pagesToLoad(EMPTY_VIEW, { first: 900, last: 1000 })).toEqual([0])
  })

  it('asks for what the viewport touches and has not got', async () => {
    const view = await loaded(1000)
    expect(pagesToLoad(view, TOP)).toEqual([])
    expect(pagesToLoad(view, { first: 190, last: 420 })).toEqual([1, 2])
    expect(pagesToLoad(view, { first: 5000, last: 5020 })).toEqual([4])
  })

  it('lets far pages and their rows go', async () => {
    const far = { first: 4000, last: 4020 }
    const view = applyPage(await loaded(10_000), 20, await pageOf(10_000, 20), far)
    expect([...view.pages.keys()]).toEqual([20])
    expect(view.rows.size).toBe(PAGE_ROWS)
    expect(idAt(view, 4001)).toBe(4002)
    expect(indexOf(view, 4002)).toBe(4001)
    expect(idAt(view, 0)).toBeUndefined()
  })

  it('keeps the identity of rows that are the same after a reload', async () => {
    const view = await loaded(10)
    const again = applyPage(view, 0, await pageOf(10, 0), TOP)
    expect(again.rows.get(7)).toBe(view.rows.get(7))
  })

  it('knows the ids of a range only when all of it is loaded', async () => {
    const view = await loaded(1000)
    expect(idsBetween(view, 5, 3)).toEqual([4, 5, 6])
    expect(idsBetween(view, 195, 205)).toBeUndefined()
  })
})

describe('deltas', () => {
  it('patches the row and leaves the others and the pages alone', async () => {
    const view = await loaded(10)
    const changed = { ...view.rows.get(1)!, writtenBytes: 42 }
    const { view: next, reload } = applyDelta(view, delta(view, { rows: [changed] }))
    expect(next.rows.get(1)).toBe(changed)
    expect(next.rows.get(2)).toBe(view.rows.get(2))
    expect(next.pages).toBe(view.pages)
    expect(reload).toBe(false)
  })

  it('ignores an old frame', async () => {
    const view = await loaded(10)
    const old = { ...view.rows.get(1)!, writtenBytes: 1 }
    expect(applyDelta(view, delta(view, { since: view.rev - 1, rev: view.rev, rows: [old] })).view).toBe(view)
  })

  it('does not set a row back that a newer page brought', async () => {
    const view = await loaded(10)
    const page = { ...(await pageOf(10, 0)), rev: view.rev + 2 }
    const newer = applyPage(view, 0, page, TOP)
    const old = { ...newer.rows.get(1)!, writtenBytes: 1 }
    const { view: next } = applyDelta(newer, delta(newer, { rows: [old] }))
    expect(next.rows.get(1)).toBe(newer.rows.get(1))
  })

  it.each([
    ['a gap', { since: 5, rev: 6 }],
    ['a changed list', { listChanged: true }],
  ])('asks for the visible pages again after %s, showing the old ones meanwhile', async (_, change) => {
    const view = await loaded(10)
    const { view: next, reload } = applyDelta(view, delta(view, change))
    expect(reload).toBe(true)
    expect(pagesToLoad(next, TOP)).toEqual([0])
    expect(idAt(next, 3)).toBe(4)
  })

  it('takes no row in that is not shown', async () => {
    const view = await loaded(10)
    const stranger = { ...view.rows.get(1)!, id: 999 }
    expect(applyDelta(view, delta(view, { rows: [stranger] })).view.rows).toBe(view.rows)
  })
})

describe('selection', () => {
  const cursor = (index: number) => ({ index, id: index + 1 })

  it('means the list’s filter when everything is selected, not the ids that are loaded', () => {
    const query = { ...BY_POSITION, states: ['failed' as const], text: 'iso' }
    expect(toContract(selectAll(NOTHING_SELECTED), query)).toEqual({ filter: { states: ['failed'], text: 'iso' } })
    expect(toContract(NOTHING_SELECTED, query)).toBeNull()
  })

  it('takes one out of everything', () => {
    const selection = toggle(selectAll(NOTHING_SELECTED), cursor(1), [1, 2, 3])
    expect(toContract(selection, BY_POSITION)).toEqual({ ids: [1, 3] })
  })

  it('keeps the anchor while a range grows and shrinks', () => {
    const begun = selectOnly(cursor(2))
    const grown = extendTo(begun, cursor(4), [3, 4, 5])
    const shrunk = extendTo(grown, cursor(3), [3, 4])
    expect(shrunk.anchor).toEqual(cursor(2))
    expect([3, 4, 5].map((id) => isSelected(shrunk, id))).toEqual([true, true, false])
  })

  it('forgets removed tasks, and the keyboard goes on at the same place', () => {
    const selection = withoutRemoved(selectOnly(cursor(2)), [3])
    expect(toContract(selection, BY_POSITION)).toBeNull()
    const left = [1, 2, 4]
    const moved = refocus(
      selection,
      (id) => left.indexOf(id),
      (index) => left[index],
    )
    expect(moved.focus).toEqual({ index: 2, id: 4 })
  })

  it('follows a task to its new place', () => {
    const moved = refocus(
      selectOnly(cursor(2)),
      (id) => id + 9,
      () => undefined,
    )
    expect(moved.focus).toEqual({ index: 12, id: 3 })
  })

  it('says what can be done with what is selected', async () => {
    const view = await loaded(6)
    const active = view.rows.get(1)!
    expect(active.state).toBe('active')
    expect(abilitiesOf(view, selectOnly({ index: 0, id: 1 }), BY_POSITION)).toEqual({
      pause: true,
      force: false,
      resume: false,
      retry: false,
      postpone: true,
      remove: true,
    })
    const done = { ...view, rows: new Map(view.rows).set(1, { ...active, state: 'done' as const }) }
    expect(abilitiesOf(done, selectOnly({ index: 0, id: 1 }), BY_POSITION).postpone).toBe(false)
    const error = { code: 'partial_missing' as const, message: '', params: {} }
    const stopped = { ...view, rows: new Map(view.rows).set(1, { ...active, state: 'paused' as const, error }) }
    expect(abilitiesOf(stopped, selectOnly({ index: 0, id: 1 }), BY_POSITION)).toMatchObject({
      pause: true,
      retry: true,
    })
    expect(abilitiesOf(view, selectOnly({ index: 0, id: 999 }), BY_POSITION).resume).toBe(true)
    expect(abilitiesOf(view, NOTHING_SELECTED, BY_POSITION).remove).toBe(false)
  })
})

describe('keys of the list', () => {
  const press = (key: string, held: { ctrl?: boolean; shift?: boolean } = {}, at = 5) =>
    listCommand({ key, ctrl: false, shift: false, alt: false, ...held }, at, 100, 10)

  it.each([
    ['ArrowDown', {}, { kind: 'move', to: 6, how: 'only' }],
    ['ArrowUp', { shift: true }, { kind: 'move', to: 4, how: 'range' }],
    ['End', { ctrl: true }, { kind: 'move', to: 99, how: 'focus' }],
    ['PageDown', {}, { kind: 'move', to: 15, how: 'only' }],
    ['PageUp', {}, { kind: 'move', to: 0, how: 'only' }],
    [' ', {}, { kind: 'toggle' }],
    ['e', {}, { kind: 'edit' }],
    ['a', { ctrl: true }, { kind: 'selectAll' }],
    ['p', {}, { kind: 'pause' }],
    ['R', {}, { kind: 'goOn' }],
    ['Delete', {}, { kind: 'remove' }],
    ['Enter', {}, { kind: 'details' }],
    ['x', {}, null],
    ['p', { ctrl: true }, null],
  ] as const)('%s %o', (key, held, command) => expect(press(key, held)).toEqual(command))

  it('begins at the end that the arrow comes from', () => {
    expect(press('ArrowDown', {}, -1)).toMatchObject({ to: 0 })
    expect(press('ArrowUp', {}, -1)).toMatchObject({ to: 99 })
  })
})

describe('links', () => {
  it('judges each line and counts it as an editor does', () => {
    const text = 'https://a.example/1\n\n ftp://b.example/2\nnonsense\nhttps://a.example/1'
    expect(readLinks(text).map(({ line, problem }) => [line, problem])).toEqual([
      [1, null],
      [3, 'scheme'],
      [4, 'invalid'],
      [5, 'repeated'],
    ])
  })

  it('finds links in prose, without the sentence’s punctuation, each once', () => {
    expect(findLinks('See (https://a.example/x.iso), and https://b.example. https://a.example/x.iso')).toEqual([
      'https://a.example/x.iso',
      'https://b.example',
    ])
    expect(findLinks('https://a.example/Film_(2024)')).toEqual(['https://a.example/Film_(2024)'])
    expect(findLinks('no links here')).toEqual([])
    // A pattern that looks at each mark anew would take minutes.
    expect(findLinks(`see http://a.example/${'.'.repeat(500_000)}x?!`)).toHaveLength(0)
    expect(findLinks(`see http://a.example/${'.'.repeat(20_000)}x?!`)).toEqual([
      `http://a.example/${'.'.repeat(20_000)}x`,
    ])
  })

  it('gives lines HASH  NAME to the links of those names, and counts those that are left', () => {
    const value = 'ab'.repeat(32)
    const text = `https://a.example/x.iso?t=1\n${value}  x.iso\r\n${value.replace('a', 'c')} *y.iso\nhttps://a.example/z.iso`
    const lines = readLinks(text)
    expect(lines.map(({ text, problem }) => [text, problem])).toEqual([
      ['https://a.example/x.iso?t=1', null],
      ['https://a.example/z.iso', null],
    ])
    const { byLink, left } = readPastedChecksums(text, lines)
    expect([...byLink]).toEqual([['https://a.example/x.iso?t=1', { algorithm: 'sha-256', value }]])
    expect(left).toBe(1)
    expect(findChecksums(`See\n${value}  x.iso\nhttps://a.example/x.iso\n${value}`)).toEqual([`${value}  x.iso`])
    // Without a name nobody can tell whose it is.
    expect(readLinks(value)).toMatchObject([{ problem: 'invalid' }])
  })

  it('reads checksums as people write them', () => {
    const value = 'ab'.repeat(32)
    for (const text of [value, `sha256:${value}`, `SHA-256 = ${value.toUpperCase()}`]) {
      expect(readChecksum(text)).toEqual({ algorithm: 'sha-256', value })
    }
    expect(readChecksum(`md5=${value}`)).toBeUndefined()
    expect(readChecksum('abc')).toBeUndefined()
  })
})

describe('settings form', () => {
  const settings = { ...DEFAULT_SETTINGS, downloadFolder: '/downloads' }

  it('sends only what was changed, in the units of the contract', () => {
    const form = { ...toForm(settings), limit: '2,5', stallTimeoutMs: '45', downloadsAtOnce: '4' }
    expect(readForm(form, settings)).toEqual({
      patch: { limitBytesPerSecond: 2_500_000, stallTimeoutMs: 45_000 },
      problems: {},
      wrongActions: [],
    })
  })

  it('a proxy is what the system or the environment says, none, or an address', () => {
    const proxy = 'socks5://localhost:1080'
    const manual = { ...toForm(settings), proxyChoice: 'manual' as const }
    expect(toForm(settings).proxyChoice).toBe('system')
    expect(readForm({ ...manual, proxy: ` ${proxy} ` }, settings)).toEqual({
      patch: { proxy },
      problems: {},
      wrongActions: [],
    })
    const proxied = { ...settings, proxy }
    expect(toForm(proxied).proxyChoice).toBe('manual')
    expect(readForm({ ...toForm(proxied), proxyChoice: 'none' }, proxied)).toEqual({
      patch: { proxy: null, proxyMode: 'none' },
      problems: {},
      wrongActions: [],
    })
    expect(readForm({ ...manual, proxy: 'ftp://x' }, settings).problems).toEqual({ proxy: 'proxy' })
    expect(readForm({ ...manual, proxy: ' ' }, settings).problems).toEqual({ proxy: 'required' })
    // shown without its password, and saved so, it stays what it is
    const shown = { ...settings, proxy: 'http://…@p.test:8080' }
    expect(readForm(toForm(shown), shown)).toEqual({ patch: {}, problems: {}, wrongActions: [] })
  })

  it('unfinished files have a folder of their own, or none', () => {
    const form = { ...toForm(settings), temporaryFolder: ' /srv/unfinished ', keepFreeBytes: '20,5' }
    const patch = { temporaryFolder: '/srv/unfinished', keepFreeBytes: 20.5 * 1024 * 1024 }
    expect(readForm(form, settings)).toEqual({ patch, problems: {}, wrongActions: [] })
    const kept = { ...settings, ...patch }
    expect(readForm(toForm(kept), kept)).toEqual({ patch: {}, problems: {}, wrongActions: [] })
    expect(readForm({ ...form, temporaryFolder: '' }, kept).patch).toEqual({ temporaryFolder: null })
    expect(readForm({ ...form, temporaryFolder: 'D:\\Unfinished' }, settings).problems).toEqual({})
    expect(readForm({ ...form, temporaryFolder: 'unfinished' }, settings).problems).toEqual({
      temporaryFolder: 'absolute',
    })
  })

  it('names what cannot be saved', () => {
    const form = { ...toForm(settings), downloadFolder: ' ', connectionsPerHost: '0', retries: '1.5', limit: 'fast' }
    expect(Object.keys(readForm(form, settings).problems).sort()).toEqual([
      'connectionsPerHost',
      'downloadFolder',
      'limit',
      'retries',
    ])
  })
})

describe('words for errors', () => {
  it('has words for every code', () => {
    expect(Object.keys(en.errors).sort()).toEqual(Object.keys(ERROR_KINDS).sort())
  })

  it('fills in the parameters, and takes the engine’s sentence rather than one with a hole', () => {
    const error = { code: 'http_status' as ErrorCode, message: 'The server said no.', params: { status: 418 } }
    expect(errorWords(error, en.errors).title).toBe('The server refused (status 418)')
    expect(errorWords({ ...error, params: {} }, en.errors)).toEqual({ title: 'The server said no.', next: '' })
  })

  it('takes the engine’s sentence for a code of a newer engine', () => {
    const error = { code: 'not_yet_known' as ErrorCode, message: 'Something new happened.', params: {} }
    expect(errorWords(error, en.errors).title).toBe('Something new happened.')
  })
})

it('tries to reconnect after 250 ms and then ever later, up to 5 s', () => {
  expect([1, 2, 3, 6, 40].map(retryDelayMs)).toEqual([250, 500, 1000, 5000, 5000])
})

it('keeps the throughput of the window’s minutes, in order, each second once', () => {
  const sample = (at: number) => ({ at, bytesPerSecond: at })
  const merged = mergeSamples([sample(1000), sample(2000)], [sample(2000), sample(WINDOW_MS + 1500)])
  expect(merged.map(({ at }) => at)).toEqual([2000, WINDOW_MS + 1500])
})
