/** The one list of what the window, the command line and other clients can ask and hear. */
import { z } from 'zod'
import { event, method } from './rpc.ts'
import {
  AddTasksInput,
  type AddTasksResult,
  type AppInfo,
  ListTasksInput,
  ProbeInput,
  type ProbeResult,
  Selection,
  type Settings,
  SettingsPatch,
  type StatsSummary,
  StatsSummaryInput,
  type StatsThroughput,
  StatsThroughputInput,
  type StatsTotals,
  type TaskDelta,
  type TaskDetail,
  TaskId,
  type TaskPage,
  type ThroughputSample,
} from './schemas.ts'

const Nothing = z.undefined()

export const contract = {
  'app.info': method(Nothing)<AppInfo>(),
  'tasks.add': method(AddTasksInput)<AddTasksResult>(),
  'tasks.list': method(ListTasksInput)<TaskPage>(),
  'tasks.get': method(z.object({ id: TaskId }))<TaskDetail>(),
  /** The four answer how many tasks they moved; tasks already there, or that cannot, are left alone. */
  'tasks.pause': method(z.object({ selection: Selection }))<{ count: number }>(),
  'tasks.resume': method(z.object({ selection: Selection }))<{ count: number }>(),
  'tasks.retry': method(z.object({ selection: Selection }))<{ count: number }>(),
  'tasks.remove': method(z.object({ selection: Selection, deleteFiles: z.boolean().default(false) }))<{
    count: number
  }>(),
  /** For tasks in `changed`: start over with the new file, or keep the partial as it is (paused). */
  'tasks.decide': method(z.object({ selection: Selection, decision: z.enum(['restart', 'keep']) }))<{
    count: number
  }>(),
  /** One request, no download. */
  'url.probe': method(ProbeInput)<ProbeResult>(),
  'settings.get': method(Nothing)<Settings>(),
  'settings.set': method(SettingsPatch)<Settings>(),
  /** One sample a second for the last ten minutes, oldest first. */
  'throughput.history': method(Nothing)<{ samples: ThroughputSample[] }>(),

  /** Requests of whole hours: overall, by host, by hour. */
  'stats.summary': method(StatsSummaryInput)<StatsSummary>(),
  /** Bytes that came in, by steps of whole minutes. */
  'stats.throughput': method(StatsThroughputInput)<StatsThroughput>(),
  /** Counters and histograms that only grow, for monitoring. */
  'stats.totals': method(Nothing)<StatsTotals>(),

  'tasks.changed': event<TaskDelta>(),
  /** Once a second to whoever listens. */
  'throughput.tick': event<ThroughputSample>(),
  'settings.changed': event<Settings>(),
}

export type Contract = typeof contract
