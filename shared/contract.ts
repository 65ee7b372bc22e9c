/** The one list of what the window, the command line and other clients can ask and hear. */
import { z } from 'zod'
import { type Forecast, ForecastInput } from './forecast.ts'
import { HostPattern, HostRulePatch, type HostRuleView, type HostView } from './host-schemas.ts'
import { ExportInput, type ExportPage, ImportInput, type ImportResult } from './list-file.ts'
import type { Notice } from './notices.ts'
import { PROFILE_NAMES, ProfilePatch, type ProfilesView, UseProfileInput } from './profiles.ts'
import { AddQueueInput, QueuePatch, type QueueView } from './queues.ts'
import { AddRepeatInput, RepeatId, RepeatPatch, type RepeatView } from './repeats.ts'
import { type NightReport, type NightSummary, ReportInput, type ReportReady } from './report.ts'
import { event, method } from './rpc.ts'
import { type ScheduleSpans, ScheduleSpansInput } from './schedule.ts'
import {
  AddTasksInput,
  type AddTasksResult,
  type AppInfo,
  ListTasksInput,
  MoveTasksInput,
  type MoveTasksResult,
  NETWORK_CHANGES,
  type ParsedCurl,
  type ParsedMetalink,
  ProbeInput,
  type ProbeResult,
  QueueId,
  RefreshLinkInput,
  type RemovedTask,
  RestoreTasksInput,
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
  UpdateTasksInput,
} from './schemas.ts'

import {
  type Activity,
  type Countdown,
  type MachineAction,
  POWER_SOURCES,
  type PowerSource,
  type WorkDone,
} from './unattended.ts'
import type { RepairResult, Verification } from './verification.ts'

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
  /** They can come back for a while (`removal` says as what); files that are to be deleted wait for a shorter one, or
   *  are deleted `now`. */
  'tasks.remove': method(
    z.object({ selection: Selection, deleteFiles: z.boolean().default(false), now: z.boolean().default(false) }),
  )<{ count: number; removal: number | null }>(),
  /** Brings removed tasks back, with the files that wait. Answers how many. */
  'tasks.restore': method(RestoreTasksInput)<{ count: number }>(),
  /** What can come back, the latest first. */
  'removed.list': method(
    z.object({ offset: z.int().min(0).default(0), limit: z.int().min(1).max(1000).default(200) }),
  )<{ total: number; rows: RemovedTask[] }>(),
  /** Forgets all that was removed, and deletes the files that wait for it. Answers how many tasks. */
  'removed.clear': method(Nothing)<{ count: number }>(),
  /** For tasks in `changed`: start over with the new file, or keep the partial as it is (paused). */
  'tasks.decide': method(z.object({ selection: Selection, decision: z.enum(['restart', 'keep']) }))<{
    count: number
  }>(),
  /** Runs tasks now: whatever their queue, its window and the number of places say. Paused and failed ones too. */
  'tasks.force': method(z.object({ selection: Selection }))<{ count: number }>(),
  /** Puts tasks before another one, first of all or (null) last, in the order in which they were. */
  'tasks.reorder': method(
    z.object({ selection: Selection, before: z.union([TaskId, z.literal('first')]).nullable() }),
  )<{ count: number }>(),
  /** Changes limits, connections, the queue or the start of tasks, of running ones at once. */
  'tasks.update': method(UpdateTasksInput)<{ count: number }>(),
  /** Gives a task a new link in place of one that expired; the partial stays, and the task goes on from there. */
  'tasks.refreshLink': method(RefreshLinkInput)<{ id: TaskId }>(),
  /**
   * Reads the file back and compares it with its checksums; answers when that is over. Several wait for each other.
   * Progress is in the rows. Throws `task_state` for a download that is under way.
   */
  'tasks.verify': method(z.object({ id: TaskId }))<Verification>(),
  /** Has the bad parts of a file fetched again, after a comparison where none is on record. */
  'tasks.repair': method(z.object({ id: TaskId }))<RepairResult>(),
  /** Comparisons that run or wait end with `interrupted`: how many. */
  'tasks.stopVerifying': method(z.object({ selection: Selection }))<{ count: number }>(),
  /** Moves finished files and partials, or learns that somebody did. Answers when all are there; pausing calls it off. */
  'tasks.move': method(MoveTasksInput)<MoveTasksResult>(),
  /** One request, no download. */
  'url.probe': method(ProbeInput)<ProbeResult>(),
  /** A command as browsers copy it (“Copy as cURL”); reads no files. */
  'curl.parse': method(z.object({ command: z.string().min(1).max(2_000_000) }))<ParsedCurl>(),
  /** The text of a Metalink document (RFC 5854, or version 3); `name` stands in messages. */
  'metalink.parse': method(
    z.object({ document: z.string().max(33_554_432), name: z.string().max(1000).optional() }),
  )<ParsedMetalink>(),
  /** Idle connections are dropped, downloads that wait because of the network go on at once: how many. */
  'network.changed': method(z.object({ reason: z.enum(NETWORK_CHANGES) }))<{ retried: number }>(),
  /** The machine runs on another source of power now. */
  'power.changed': method(z.object({ source: z.enum(POWER_SOURCES) }))<{ source: PowerSource }>(),
  'activity.get': method(Nothing)<Activity>(),
  /** What is about to happen to the machine; null: nothing. */
  'countdown.get': method(Nothing)<Countdown | null>(),
  /** Calls it off, also while it waits for other downloads. */
  'countdown.cancel': method(Nothing)<{ cancelled: boolean }>(),
  /** The list as a file, in parts. */
  'list.export': method(ExportInput)<ExportPage>(),
  /** What such a file holds joins the list; what is here stays as it is. */
  'list.import': method(ImportInput)<ImportResult>(),
  /** What has to be known about the list: that it was damaged, say. Stays until somebody dismisses it. */
  'notices.list': method(Nothing)<Notice[]>(),
  'notices.dismiss': method(z.object({ id: z.int().positive() }))<{ dismissed: boolean }>(),
  'settings.get': method(Nothing)<Settings>(),
  'settings.set': method(SettingsPatch)<Settings>(),
  /** In order, the default queue first. */
  'queues.list': method(Nothing)<QueueView[]>(),
  'queues.add': method(AddQueueInput)<QueueView>(),
  'queues.update': method(z.object({ id: QueueId, patch: QueuePatch }))<QueueView>(),
  /** Its tasks go to the default queue, which cannot be removed. Answers how many they were. */
  'queues.remove': method(z.object({ id: QueueId }))<{ moved: number }>(),
  /** A window that was missed: the queue works now to make up for it, or (also where it does already) in its next one. */
  'queues.makeUp': method(z.object({ id: QueueId, decision: z.enum(['run', 'next']) }))<QueueView>(),
  /** Which profile holds, and what each says. */
  'profiles.list': method(Nothing)<ProfilesView>(),
  'profiles.set': method(z.object({ name: z.enum(PROFILE_NAMES), patch: ProfilePatch }))<ProfilesView>(),
  /** Chooses one by hand, for a while. */
  'profiles.use': method(UseProfileInput)<ProfilesView>(),
  'repeats.list': method(Nothing)<RepeatView[]>(),
  'repeats.add': method(AddRepeatInput)<RepeatView>(),
  'repeats.update': method(z.object({ id: RepeatId, patch: RepeatPatch }))<RepeatView>(),
  /** What its runs brought stays. */
  'repeats.remove': method(z.object({ id: RepeatId }))<{ removed: boolean }>(),
  /** Runs it now, also where a missed run waits for an answer. Answers once its download has begun, or why not. */
  'repeats.run': method(z.object({ id: RepeatId }))<RepeatView>(),
  /** Leaves a missed run out that waits for an answer. */
  'repeats.skip': method(z.object({ id: RepeatId }))<RepeatView>(),
  /** When the windows of each queue are open, and which profile holds when. */
  'schedule.windows': method(ScheduleSpansInput)<ScheduleSpans>(),
  /** What will probably be fetched when, queue by queue. */
  'schedule.forecast': method(ForecastInput)<Forecast>(),
  /** Hosts in use, and those that complained within the last day. */
  'hosts.list': method(Nothing)<HostView[]>(),
  /** Forgets what a host was seen to take: it is asked again as if it had never complained. */
  'hosts.forget': method(z.object({ host: z.string().max(300) }))<{ forgotten: boolean }>(),
  'hostRules.list': method(Nothing)<HostRuleView[]>(),
  /** Adds a rule for a pattern, or changes the one there is. */
  'hostRules.set': method(z.object({ pattern: HostPattern, patch: HostRulePatch }))<HostRuleView>(),
  'hostRules.remove': method(z.object({ pattern: HostPattern }))<{ removed: boolean }>(),
  /** One sample a second for the last ten minutes, oldest first. */
  'throughput.history': method(Nothing)<{ samples: ThroughputSample[] }>(),

  /** Requests of whole hours: overall, by host, by hour. */
  'stats.summary': method(StatsSummaryInput)<StatsSummary>(),
  /** Bytes that came in, by steps of whole minutes. */
  'stats.throughput': method(StatsThroughputInput)<StatsThroughput>(),
  /** Counters and histograms that only grow, for monitoring. */
  'stats.totals': method(Nothing)<StatsTotals>(),

  /** Nights of which something is known, the latest first. */
  'report.nights': method(z.object({ limit: z.int().min(1).max(400).default(31) }).default({ limit: 31 }))<{
    nights: NightSummary[]
  }>(),
  'report.get': method(ReportInput)<NightReport>(),

  'tasks.changed': event<TaskDelta>(),
  /** Once a second to whoever listens. */
  'throughput.tick': event<ThroughputSample>(),
  /** All of them, in order: when one was changed, and at most once a second when one does something else than before. */
  'queues.changed': event<QueueView[]>(),
  /** work began or is over, or whether it keeps the machine awake is another thing now */
  'activity.changed': event<Activity>(),
  /** null: it is over, or was called off */
  'countdown.changed': event<Countdown | null>(),
  /** the work of a queue or of all is done, and somebody wanted to be told */
  'work.done': event<WorkDone>(),
  /** for the program that the engine runs in: it does this now */
  'machine.act': event<{ action: MachineAction }>(),
  'settings.changed': event<Settings>(),
  'notices.changed': event<Notice[]>(),
  'repeats.changed': event<RepeatView[]>(),
  /** The report of a night was made: there is nothing left to do, or the night is over. */
  'report.ready': event<ReportReady>(),
  /** another profile holds, or says something else */
  'profiles.changed': event<ProfilesView>(),
}

export type Contract = typeof contract
