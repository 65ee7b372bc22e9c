/** What is said about tasks that are not there, and to whoever asks too late. */
import { NighthaulError } from '../../shared/errors.ts'
import type { TaskId } from '../../shared/schemas.ts'

export function taskNotFound(id: TaskId): NighthaulError {
  return new NighthaulError('task_not_found', `There is no task ${id}. Nothing was changed.`, { id })
}

export function stopped(): NighthaulError {
  return new NighthaulError('engine_stopped', 'Nighthaul is about to quit; nothing was added. Try again when it runs.')
}
