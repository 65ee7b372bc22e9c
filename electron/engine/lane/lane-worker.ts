/** Entry of a lane's worker thread: what was compiled before is read from a cache, then the lane starts. */
import { useCodeCache } from '../code-cache.ts'

useCodeCache(import.meta.dirname)

void import('./lane-service.ts')
