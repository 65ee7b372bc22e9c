/** Pages and selections of the list: filters, orders, and that they come from an index. */
import { beforeAll, describe, expect, test } from 'vitest'
import { QUEUE_SQL } from '../../electron/store/queue.ts'
import { countQuery, idsQuery, type ListFilter } from '../../electron/store/task-list.ts'
import type { TaskPatch, TaskStore } from '../../shared/records.ts'
import { SORT_KEYS } from '../../shared/schemas.ts'
import { listQuery, manyTasks, newTask, openRaw, openTestStore, storePath } from '../helpers/store.ts'

function mixedStore(): TaskStore {
  const store = openTestStore()
  const patches: TaskPatch[] = [
    { filename: 'beta.iso', sizeBytes: 100, writtenBytes: 50, state: 'active' },
    { filename: 'Alpha.iso', sizeBytes: 300, writtenBytes: 30, state: 'paused' },
    { filename: 'gamma_100%.iso', state: 'queued' },
    { filename: 'delta.iso', sizeBytes: 0, state: 'done' },
  ]
  const ids = store.addTasks(
    patches.map((_, index) => newTask({ url: `https://example.org/File-${index}`, createdAt: 1000 - index })),
  )
  store.updateTasks(patches.map((patch, index) => ({ id: ids[index] ?? 0, patch })))
  return store
}

describe('a list', () => {
  test.each([
    ['position', [1, 2, 3, 4]],
    ['name', [2, 1, 4, 3]],
    ['size', [3, 4, 1, 2]],
    ['progress', [3, 2, 1, 4]],
    ['state', [1, 3, 2, 4]],
    ['created', [4, 3, 2, 1]],
  ] as const)('is ordered by %s, and backwards', (sort, expected) => {
    const store = mixedStore()
    const listed = (descending: boolean) => store.listTasks(listQuery({ sort, descending })).rows.map((row) => row.id)
    expect(listed(false)).toEqual(expected)
    expect(listed(true)).toEqual(expected.toReversed())
  })

  test('keeps the queue’s order among equals', () => {
    const store = openTestStore()
    store.addTasks([newTask(), newTask(), newTask()])
    for (const sort of SORT_KEYS) {
      expect(
        store.listTasks(listQuery({ sort })).rows.map((row) => row.id),
        sort,
      ).toEqual([1, 2, 3])
    }
  })

  test.each<[filter: ListFilter, expected: number[]]>([
    [{ states: ['active', 'done'] }, [1, 4]],
    [{ states: [] }, []],
    [{ text: 'ALPHA' }, [2]],
    [{ text: 'file-2' }, [3]],
    [{ text: '100%' }, [3]],
    [{ text: '_100' }, [3]],
    [{ text: 'a%b' }, []],
    [{ text: '\\' }, []],
    [{ text: '' }, [1, 2, 3, 4]],
    [{ text: 'iso', states: ['paused', 'queued'] }, [2, 3]],
    [{ text: 'iso', states: [] }, []],
  ])('filtered by %j shows %j, and a selection by the same filter holds them', (filter, expected) => {
    const store = mixedStore()
    const page = store.listTasks(listQuery(filter))
    expect({ total: page.total, ids: page.rows.map((row) => row.id) }).toEqual({
      total: expected.length,
      ids: expected,
    })
    expect(store.selectIds({ filter })).toEqual(expected)
  })

  test('comes in pages, and tells how many there are', () => {
    const store = mixedStore()
    for (const text of [undefined, 'iso']) {
      const page = (offset: number) => store.listTasks(listQuery({ text, offset, limit: 3 }))
      expect(page(0)).toMatchObject({ total: 4, rows: [{ id: 1 }, { id: 2 }, { id: 3 }] })
      expect(page(3)).toMatchObject({ total: 4, rows: [{ id: 4 }] })
      expect(page(9)).toEqual({ total: 4, rows: [] })
    }
  })

  test('finds a task by the name in its link before it has one of its own', () => {
    const store = openTestStore()
    store.addTasks([newTask({ url: 'https://example.org/a/Gro%C3%9Fe%20Datei.zip?x=1' }), newTask()])
    expect(store.listTasks(listQuery({ text: 'große datei' })).rows.map((row) => row.id)).toEqual([1])
    store.updateTask(1, { filename: 'other.bin' })
    expect(store.listTasks(listQuery({ text: 'große datei' })).total).toBe(0)
  })
})

test('a selection by ids is in list order, without the unknown and the repeated', () => {
  const store = mixedStore()
  expect(store.selectIds({ ids: [4, 99, 1, 4, 2] })).toEqual([1, 2, 4])
})

describe('100,000 tasks', () => {
  let store: TaskStore
  let file: string
  beforeAll(() => {
    const undos: (() => void)[] = []
    const onEnd = (undo: () => void) => undos.unshift(undo)
    file = storePath(onEnd)
    store = openTestStore({ path: file }, onEnd)
    store.addTasks(manyTasks(100_000))
    return () => {
      for (const undo of undos) undo()
    }
  }, 120_000)

  test.each(SORT_KEYS)('are paged by %s by walking an index, without a sort', (sort) => {
    const raw = openRaw(file)
    for (const descending of [false, true]) {
      for (const filter of [{}, { states: ['active' as const, 'queued' as const] }, { queueId: 2 }, { queueId: 1 }]) {
        const { sql, parameters } = idsQuery(filter, { sort, descending })
        const plan = raw.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters, 200, 0) as { detail: string }[]
        // Not called covering where the key is computed; states and queues are taken from the index all the same.
        expect(plan[0]?.detail).toMatch(new RegExp(`^SCAN tasks USING (COVERING )?INDEX tasks_list_${sort}$`))
        expect(plan.map(({ detail }) => detail).join()).not.toContain('TEMP B-TREE')
        // The default queue asks which queues there are.
        if (!('queueId' in filter) || filter.queueId !== 1) expect(plan).toHaveLength(1)
      }
    }
  })

  test('give any page, the first and the last', () => {
    expect(store.listTasks(listQuery()).rows.map((row) => row.id)).toEqual(
      Array.from({ length: 200 }, (_, index) => index + 1),
    )
    const last = store.listTasks(listQuery({ sort: 'created', offset: 99_990 }))
    expect(last.total).toBe(100_000)
    expect(last.rows.map((row) => row.id)).toEqual(Array.from({ length: 10 }, (_, index) => 99_991 + index))
    expect(store.listTasks(listQuery({ text: 'archive-4242.' })).rows.map((row) => row.id)).toEqual([4243])
    expect(store.selectIds({ filter: { states: ['queued'] } })).toHaveLength(100_000)
  })

  test('are counted by queue in an index, and paged by it', () => {
    const overnight = store.addQueue({ name: 'Overnight' }).id
    const chosen = Array.from({ length: 500 }, (_, index) => 1 + index * 200)
    store.updateTasks(chosen.map((id) => ({ id, patch: { queueId: overnight } })))
    const { sql, parameters } = countQuery({ queueId: overnight, states: ['queued'] })
    const plan = openRaw(file)
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...parameters) as { detail: string }[]
    expect(plan.map(({ detail }) => detail)).toEqual(['SCAN tasks USING COVERING INDEX tasks_list_position'])
    const last = store.listTasks(listQuery({ queueId: overnight, offset: 490 }))
    expect({ total: last.total, ids: last.rows.map((row) => row.id) }).toEqual({ total: 500, ids: chosen.slice(490) })
    expect(store.listTasks(listQuery({ queueId: 1 })).total).toBe(99_500)
    expect(store.listTasks(listQuery({ queueId: overnight, states: ['done'] }))).toEqual({ total: 0, rows: [] })
    const found = store.listTasks(listQuery({ queueId: overnight, text: 'archive-200.' }))
    expect(found.rows.map((row) => row.id)).toEqual([201])
    expect(store.selectIds({ filter: { queueId: overnight } })).toEqual(chosen)
  })

  test.each(Object.entries(QUEUE_SQL))('answer the scheduler from an index, without a sort: %s', (name, sql) => {
    const parameters = sql.includes('@') ? [{ queueId: 1 }] : Array.from(sql.matchAll(/\?/g), () => 1)
    const plan = openRaw(file)
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...parameters) as { detail: string }[]
    const details = plan.map((step) => step.detail).join('; ')
    expect(details).toMatch(/(SEARCH|SCAN) tasks USING (COVERING )?INDEX tasks_/)
    // Grouping a list of given links is the one thing that needs a place of its own.
    if (name !== 'newestIds') expect(details).not.toContain('TEMP B-TREE')
  })
})
