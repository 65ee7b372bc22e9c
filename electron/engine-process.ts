/** Entry of the utility process: the engine, away from the windows. Main forks it with the profile and the version. */
import type { ParentPort } from 'electron'
import { NighthaulError, toErrorInfo } from '../shared/errors.ts'
import type { FromEngine, ToEngine } from './engine-host.ts'
import { startEngineService } from './engine-service.ts'
import { electronPortDuplex } from './rpc/electron-port-duplex.ts'
import { askMain } from './system-proxy.ts'

const [profile, version] = process.argv.slice(2)
if (profile === undefined || version === undefined) throw new Error('usage: engine-process PROFILE VERSION')

const parent: ParentPort = process.parentPort
const tell = (message: FromEngine) => parent.postMessage(message)
const proxies = askMain(tell)
const starting = startEngineService({ profile, version, resolveProxy: proxies.resolveProxy })

parent.on('message', ({ data, ports }) => {
  const message = data as ToEngine
  proxies.hear(message)
  // A failed start ends the process below: nothing is left to do for a message then.
  starting.then(
    async (service) => {
      const [port] = ports
      if (message.type === 'connect' && port) service.connect(electronPortDuplex(port))
      if (message.type !== 'drain') return
      await service.drain()
      process.exit(0)
    },
    () => {},
  )
})

starting.then(
  () => tell({ type: 'ready' }),
  (error: unknown) => {
    // What has a code of ours (profile in use, newer store, …) would fail again; anything else is a crash.
    if (!(error instanceof NighthaulError)) throw error
    // Main ends this process once it has heard: exiting here could overtake the message.
    tell({ type: 'failed', error: toErrorInfo(error) })
  },
)
