import { describe, expect, test } from 'vitest'
import { MOST_MIRRORS, type NewMirror } from '../../shared/records.ts'
import { memoryLogger, newTask, openRaw, openTestStore, storePath } from '../helpers/store.ts'

const named = (host: string): NewMirror => ({
  url: `https://${host}/x.iso`,
  priority: 1,
  location: 'de',
  origin: 'metalink',
})

describe('mirrors', () => {
  test('are kept with their task, in order, with what was learnt of each, and go with it', () => {
    const path = storePath()
    const store = openTestStore({ path })
    const [id = 0] = store.addTasks([{ ...newTask(), mirrors: [named('b.example'), named('a.example')] }])
    const [first] = store.mirrors(id)
    expect(first).toEqual({ ...named('b.example'), file: null, error: null, failures: 0, bytes: 0, busyMs: 0 })
    const file = {
      etag: '"x"',
      lastModified: null,
      lastModifiedStrong: false,
      finalUrl: 'https://b.example/y.iso',
      httpVersion: '1.1',
      acceptsRanges: true,
    }
    const error = { code: 'not_found', message: 'It is not there.', params: { status: 404 } } as const
    store.updateMirror(id, { ...first!, file, error, failures: 2, bytes: 10, busyMs: 4.4 })
    store.close()
    const again = openTestStore({ path })
    expect(again.mirrors(id)).toMatchObject([{ file, error, failures: 2, bytes: 10, busyMs: 4 }, named('a.example')])
    again.forgiveMirrors([id])
    expect(again.mirrors(id)[0]).toMatchObject({ file, error: null, failures: 0, bytes: 10 })
    again.removeTasks([id])
    expect(again.mirrors(id)).toEqual([])
    again.close()
    expect(openRaw(path).prepare('SELECT count(*) FROM mirrors').pluck().get()).toBe(0)
  })

  test('are added once each, and never more than MOST_MIRRORS', () => {
    const store = openTestStore({ path: storePath() })
    const [id = 0] = store.addTasks([{ ...newTask(), mirrors: [named('a.example')] }])
    expect(store.addMirrors(id, [named('a.example'), named('b.example')])).toBe(1)
    store.addMirrors(
      id,
      Array.from({ length: 2 * MOST_MIRRORS }, (_, index) => named(`${index}.example`)),
    )
    expect(store.mirrors(id)).toHaveLength(MOST_MIRRORS)
    expect(store.mirrors(id)[1]?.url).toBe('https://b.example/x.iso')
  })

  test('can get another URL, also one that is there already', () => {
    const store = openTestStore({ path: storePath() })
    const [id = 0] = store.addTasks([{ ...newTask(), mirrors: [named('a.example'), named('b.example')] }])
    const file = {
      ...{ etag: '"a"', lastModified: null, lastModifiedStrong: false },
      ...{ finalUrl: null, httpVersion: '1.1', acceptsRanges: true },
    }
    store.updateMirror(id, { ...store.mirrors(id)[0]!, file, failures: 1 })
    store.renameMirror(id, 'https://a.example/x.iso', 'https://c.example/x.iso')
    expect(store.mirrors(id)[0]).toMatchObject({ url: 'https://c.example/x.iso', file: null, failures: 0 })
    store.renameMirror(id, 'https://c.example/x.iso', 'https://b.example/x.iso')
    expect(store.mirrors(id).map(({ url }) => url)).toEqual(['https://b.example/x.iso'])
  })

  test('that are damaged cost what is damaged', () => {
    const path = storePath()
    const store = openTestStore({ path })
    const [id = 0] = store.addTasks([{ ...newTask(), mirrors: [named('a.example')] }])
    store.close()
    openRaw(path).exec(`UPDATE mirrors SET file = '[', error = '{', origin = 'elsewhere'`)
    const logger = memoryLogger()
    const again = openTestStore({ path, logger })
    expect(again.mirrors(id)).toMatchObject([
      { url: 'https://a.example/x.iso', file: null, error: null, origin: 'user' },
    ])
    expect(logger.lines).toHaveLength(2)
  })
})
