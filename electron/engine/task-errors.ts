/** What is said about tasks that are not there, to whoever asks too late, and where something of ours failed. */
import { NighthaulError } from '../../shared/errors.ts'
import type { TaskId } from '../../shared/schemas.ts'

export function taskNotFound(id: TaskId): NighthaulError {
  return new NighthaulError('task_not_found', `There is no task ${id}. Nothing was changed.`, { id })
}

export function heldByAnother(id: TaskId): NighthaulError {
  return new NighthaulError(
    'task_leased',
    `Another Nighthaul process downloads task ${id} right now. Nothing was changed; stop it there first.`,
    { id },
  )
}

export function stopped(): NighthaulError {
  return new NighthaulError('engine_stopped', 'Nighthaul is about to quit; nothing was added. Try again when it runs.')
}

/** Any thrown thing as an error of ours; what was none is `internal`. */
export function typed(error: unknown): NighthaulError {
  if (error instanceof NighthaulError) return error
  return new NighthaulError('internal', error instanceof Error ? error.message : String(error), {}, { cause: error })
}
