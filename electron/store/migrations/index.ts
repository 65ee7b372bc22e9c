/** The migrations in order. Numbers grow by tens, so that two branches can each add one. */
import type { Migration } from '../migrate.ts'
import { migration0010 } from './0010-tasks.ts'
import { migration0020 } from './0020-statistics.ts'
import { migration0030 } from './0030-queues-and-hosts.ts'
import { migration0050 } from './0050-strategy.ts'
import { migration0060 } from './0060-verification.ts'
import { migration0070 } from './0070-integrity.ts'
import { migration0080 } from './0080-mirrors.ts'
import { migration0090 } from './0090-places.ts'
import { migration0100 } from './0100-safe-list.ts'
import { migration0110 } from './0110-scheduling.ts'
import { migration0120 } from './0120-times.ts'
import { migration0130 } from './0130-journal.ts'
import { migration0140 } from './0140-unattended.ts'
import { migration0150 } from './0150-bad-tries.ts'
import { migration0170 } from './0170-list-by-queue.ts'
import { migration0180 } from './0180-host-waits.ts'

export const MIGRATIONS: readonly Migration[] = [
  migration0010,
  migration0020,
  migration0030,
  migration0050,
  migration0060,
  migration0070,
  migration0080,
  migration0090,
  migration0100,
  migration0110,
  migration0120,
  migration0130,
  migration0140,
  migration0150,
  migration0170,
  migration0180,
]
