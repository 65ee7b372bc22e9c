/** Tables `segments` and `block_pages`: how far each task has come, and the checksums of what is there. */
import type { BlockChecksum, SegmentRecord, TaskCheckpoint, TaskStore } from '../../shared/records.ts'
import { type BlockPage, packPage, pageOf, unpackPage } from './block-page.ts'
import type { Connection, StoreLogger } from './database.ts'
import { believed, type SealedSegment, sealOf } from './segment-seal.ts'

type ProgressStore = Pick<TaskStore, 'segments' | 'blocks' | 'clearProgress' | 'checkpoint'>

export function createProgress(connection: Connection, logger: StoreLogger): ProgressStore {
  const { db } = connection
  const selectSegments = db.prepare<[number], SealedSegment>(
    'SELECT start, "end", written, durable, seal FROM segments WHERE task_id = ? ORDER BY start',
  )
  const selectSize = db.prepare<[number], number | null>('SELECT size_bytes FROM tasks WHERE id = ?').pluck()
  const deleteSegments = db.prepare<[number]>('DELETE FROM segments WHERE task_id = ?')
  const insertSegment = db.prepare<[number, number, number | null, number, number, number]>(
    'INSERT INTO segments (task_id, start, "end", written, durable, seal) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const selectPages = db.prepare<[number], BlockPage & { page: number }>(
    'SELECT page, crcs, present, short_blocks FROM block_pages WHERE task_id = ? ORDER BY page',
  )
  const selectPage = db.prepare<[number, number], BlockPage>(
    'SELECT crcs, present, short_blocks FROM block_pages WHERE task_id = ? AND page = ?',
  )
  const upsertPage = db.prepare<[number, number, Uint8Array, Uint8Array, string | null]>(
    `INSERT INTO block_pages (task_id, page, crcs, present, short_blocks) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (task_id, page) DO UPDATE
     SET crcs = excluded.crcs, present = excluded.present, short_blocks = excluded.short_blocks`,
  )
  const deletePages = db.prepare<[number]>('DELETE FROM block_pages WHERE task_id = ?')
  const updateMarks = db.prepare<[number, string, number]>(
    'UPDATE tasks SET written_bytes = ?, boot_id = ? WHERE id = ?',
  )
  const resetWritten = db.prepare<[number]>('UPDATE tasks SET written_bytes = 0 WHERE id = ?')

  /** A page that cannot be unpacked counts as absent: its blocks are then fetched or checked again. */
  function unpackOrWarn(id: number, page: number, packed: BlockPage): BlockChecksum[] {
    try {
      return unpackPage(page, packed)
    } catch (error) {
      logger.warn({ taskId: id, page, error: String(error) }, 'stored block checksums are unreadable and were left out')
      return []
    }
  }

  function storeBlocks(id: number, blocks: readonly BlockChecksum[]): void {
    for (const [page, ofPage] of Map.groupBy(blocks, (block) => pageOf(block.index))) {
      const stored = selectPage.get(id, page)
      const kept = stored === undefined ? [] : unpackOrWarn(id, page, stored)
      const packed = packPage(kept.length === 0 ? null : (stored ?? null), ofPage)
      upsertPage.run(id, page, packed.crcs, packed.present, packed.short_blocks)
    }
  }

  function storeCheckpoint({ id, writtenBytes, bootId, segments, blocks }: TaskCheckpoint): void {
    // Removed meanwhile, perhaps by another process: there is nothing to remember.
    if (updateMarks.run(writtenBytes, bootId, id).changes === 0) return
    if (segments !== undefined) {
      deleteSegments.run(id)
      for (const segment of segments) {
        const { start, end, written, durable } = segment
        insertSegment.run(id, start, end, written, durable, sealOf(id, segment))
      }
    }
    if (blocks !== undefined && blocks.length > 0) storeBlocks(id, blocks)
  }

  function segments(id: number): SegmentRecord[] {
    const { segments, broken } = believed(id, selectSegments.all(id), selectSize.get(id) ?? null)
    if (broken > 0)
      logger.warn({ taskId: id, broken }, 'stored marks were changed by damage; these parts are fetched again')
    return segments
  }

  return {
    segments,
    blocks: (id) => selectPages.all(id).flatMap((row) => unpackOrWarn(id, row.page, row)),
    checkpoint: (batch) => {
      if (batch.length > 0) connection.progress(() => batch.forEach(storeCheckpoint))
    },
    // FULL: whoever forgets progress overwrites or truncates the file next, and marks that came back after a power
    // cut would then vouch for bytes that are gone.
    clearProgress: (id) =>
      connection.intent(() => {
        deleteSegments.run(id)
        deletePages.run(id)
        resetWritten.run(id)
      }),
  }
}
