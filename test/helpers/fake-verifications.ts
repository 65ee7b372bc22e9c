/** The fake engine's files are always right. */
import type { Contract } from '../../shared/contract.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { Verification } from '../../shared/verification.ts'

export const RIGHT: Verification = {
  at: Date.UTC(2026, 10, 22, 22, 0, 0),
  verdict: 'right',
  path: '/home/user/Downloads/file.bin',
  bytes: 5_000_000,
  bytesOnDisk: 5_000_000,
  sizeDiffers: false,
  checkedBlocks: 5,
  uncheckedBlocks: 0,
  badBlocks: 0,
  badBytes: 0,
  badRanges: [],
  checksum: null,
  repairing: false,
}

export function createFakeVerifications(): Pick<
  Handlers<Contract>,
  'tasks.verify' | 'tasks.repair' | 'tasks.stopVerifying'
> {
  return {
    'tasks.verify': () => RIGHT,
    'tasks.repair': () => ({ repair: 'nothing', bytes: 0, verification: RIGHT }),
    'tasks.stopVerifying': () => ({ count: 0 }),
  }
}
