/** What the headless host does for the machine: keeps it awake, tells of its battery, ends or turns it off when asked. */
import type { EngineApi } from '../engine/api.ts'
import type { Logger } from '../engine/ports.ts'
import { actOnMachine } from '../platform/machine-actions.ts'
import { watchBattery } from './battery.ts'
import { SleepInhibitor } from './sleep-inhibitor.ts'

export interface MachineHostDeps {
  engine: EngineApi
  logger: Logger
  /** ends this process in order */
  quit: () => void
}

/** Answers how to stop. */
export async function attendMachine({ engine, logger, quit }: MachineHostDeps): Promise<() => void> {
  const inhibitor = new SleepInhibitor(logger)
  const activity = engine.events.subscribe('activity.changed', ({ keepAwake }) => inhibitor.set(keepAwake), {
    visible: true,
  })
  const acts = engine.events.subscribe('machine.act', ({ action }) => actOnMachine(action, { logger, quit }), {
    visible: true,
  })
  inhibitor.set((await engine.handlers['activity.get'](undefined)).keepAwake)
  const stopWatching = watchBattery((source) => void engine.handlers['power.changed']({ source }))
  return () => {
    stopWatching()
    activity.dispose()
    acts.dispose()
    inhibitor.close()
  }
}
