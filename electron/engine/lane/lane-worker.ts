/** Entry of a lane's worker thread: what was compiled before is read from Node's cache, then the lane starts. */
import { enableCompileCache } from 'node:module'

enableCompileCache()

await import('./lane-service.ts')
