/** Another link in the place of one that expired: what becomes of the task's record. Pure. */
import { NighthaulError } from '../../shared/errors.ts'
import type { TaskPatch, TaskRecord } from '../../shared/records.ts'
import type { TaskOptions } from '../../shared/schemas.ts'
import { isHarmless, splitCredentials } from './http/credentials.ts'

/**
 * The partial stays. Validators stay where the new link is of the same origin, and protect the next request; another
 * server's say nothing about it, so that it is compared first (source-proof.ts). Credentials never go to another origin.
 * Throws `task_state` for a finished task.
 */
export function refreshedLink(task: TaskRecord, link: string): TaskPatch & { url: string } {
  if (task.state === 'done' || task.state === 'finishing')
    throw new NighthaulError(
      'task_state',
      'This download is finished, so that it needs no other link. Nothing was changed; add the link to download it anew.',
      { state: task.state },
    )
  const { url, login } = splitCredentials(new URL(link))
  const sameOrigin = new URL(task.url).origin === url.origin
  // Bytes of a mirror may be among those that are here: whose validators these are is then another question.
  const sameSource = sameOrigin && task.sourceUrl === null
  return {
    url: url.href,
    sourceUrl: null,
    finalUrl: null,
    options: { ...(sameOrigin ? task.options : withoutCredentials(task.options)), ...login },
    ...(sameSource ? {} : { etag: null, lastModified: null, lastModifiedStrong: false, acceptsRanges: null }),
  }
}

/** Cookies know their host by themselves. */
function withoutCredentials(options: TaskOptions): TaskOptions {
  const { user: _u, password: _p, bearer: _b, auth: _a, clientCertificate: _c, headers, ...rest } = options
  return { ...rest, ...(headers ? { headers: headers.filter(([name]) => isHarmless(name)) } : {}) }
}
