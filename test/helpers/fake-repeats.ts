/** Repeating downloads of the fake engine: one, changed as the contract says; they never run by themselves. */
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import { DEFAULT_REPEAT, type RepeatView } from '../../shared/repeats.ts'
import type { Handlers } from '../../shared/rpc.ts'

type Fake = Pick<
  Handlers<Contract>,
  'repeats.list' | 'repeats.add' | 'repeats.update' | 'repeats.remove' | 'repeats.run' | 'repeats.skip'
>

const DAY_MS = 86_400_000

export function createFakeRepeats(now: () => number, changed: (repeats: RepeatView[]) => void): Fake {
  const idle = { askedUntil: null, taskId: null, runs: 0, last: null, results: [] }
  let repeats: RepeatView[] = [
    {
      ...DEFAULT_REPEAT,
      ...idle,
      id: 1,
      url: 'https://planet.openstreetmap.example/pbf/planet-latest.osm.pbf',
      when: 'daily 02:00',
      keepLast: 7,
      nextAt: now() + DAY_MS / 6,
      runs: 12,
      last: {
        ...{ at: now() - DAY_MS, result: 'unchanged', taskId: null, error: null, deleted: [], kept: [] },
        path: '/home/user/Downloads/planet-latest 2026-11-20.osm.pbf',
      },
    },
  ]
  const put = (view: RepeatView): RepeatView => {
    repeats = [...repeats.filter(({ id }) => id !== view.id), view].sort((a, b) => a.id - b.id)
    changed(repeats)
    return view
  }
  const find = (id: number): RepeatView => {
    const found = repeats.find((view) => view.id === id)
    if (found) return found
    throw new NighthaulError('repeat_not_found', `There is no repeating download ${id}. Nothing was changed.`, { id })
  }
  return {
    'repeats.list': () => repeats,
    'repeats.add': (input) => {
      const id = Math.max(0, ...repeats.map((view) => view.id)) + 1
      return put({ ...DEFAULT_REPEAT, ...idle, ...input, id, nextAt: now() + DAY_MS })
    },
    'repeats.update': ({ id, patch }) => {
      const paused = patch.paused ?? find(id).paused
      return put({ ...find(id), ...patch, nextAt: paused ? null : now() + DAY_MS })
    },
    'repeats.remove': ({ id }) => {
      find(id)
      repeats = repeats.filter((view) => view.id !== id)
      changed(repeats)
      return { removed: true }
    },
    'repeats.run': ({ id }) => {
      const last = { at: now(), taskId: null, path: null, error: null, deleted: [], kept: [] }
      return put({ ...find(id), askedUntil: null, last: { ...last, result: 'unchanged' } })
    },
    'repeats.skip': ({ id }) => put({ ...find(id), askedUntil: null }),
  }
}
