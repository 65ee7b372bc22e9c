/** What a run needs of the engine for its file: names, room, marks in the store, and who is told what was learnt. */
import type { TaskRecord } from '../../shared/records.ts'
import { hostOf } from './admission.ts'
import type { EngineDeps } from './ports.ts'
import type { PublishContext } from './publish.ts'
import type { Recorder } from './recorder.ts'
import type { Relocator } from './relocation.ts'
import type { Room } from './room.ts'
import type { RunnerDeps } from './run.ts'
import { dropUnsynced, writtenBytes } from './segment-plan.ts'

export function runContext(
  task: TaskRecord,
  deps: RunnerDeps,
  { room, relocator, recorder }: { room: Room; relocator: Relocator; recorder: Recorder },
): PublishContext & Pick<EngineDeps, 'clock'> {
  const { store, changes, files } = deps
  return {
    fs: files,
    clock: deps.clock,
    logger: deps.logger,
    settings: deps.settings,
    reserve: (filename) => store.reserveFilename(task.id, task.folder, filename),
    makeRoom: (demands) => room.make(task.id, demands),
    begunBytes: () => relocator.begunBytes(task),
    startsOverWithoutPartial: deps.lease !== null,
    bootId: deps.bootId,
    relocate: (relocation, signal) => relocator.relocate(store.getTask(task.id)!, relocation, signal),
    lost: () => {
      const segments = dropUnsynced(store.segments(task.id))
      store.checkpoint([{ id: task.id, bootId: deps.bootId, segments, writtenBytes: writtenBytes(segments) }])
    },
    committed: () => store.committed(false),
    recorded: () => recorder.recorded(),
    learned: (patch) => {
      store.updateTask(task.id, patch)
      if (patch.finalUrl) deps.redirected(hostOf(task), new URL(patch.finalUrl).host)
      changes.progressed([task.id])
    },
    storedSegments: () => store.segments(task.id),
    storedBlocks: () => store.blocks(task.id),
  }
}
