/** Table `piece_hashes`: written once with its task, read when its file turns out bad. */
import { DIGEST_BYTES, PieceHashes } from '../../shared/integrity.ts'
import type { TaskStore } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import type { Connection, StoreLogger } from './database.ts'

interface Row {
  algorithm: string
  pieceBytes: number
  hashes: string
}

/** Adds them inside the caller’s transaction. */
export function pieceWriter({ db }: Connection): (id: TaskId, pieces: PieceHashes) => void {
  const insert = db.prepare<[TaskId, string, number, string]>(
    'INSERT INTO piece_hashes (task_id, algorithm, piece_bytes, hashes) VALUES (?, ?, ?, ?)',
  )
  return (id, { algorithm, pieceBytes, values }) => insert.run(id, algorithm, pieceBytes, values.join(''))
}

export function createPieces({ db }: Connection, logger: StoreLogger): Pick<TaskStore, 'pieces'> {
  const select = db.prepare<[TaskId], Row>(
    'SELECT algorithm, piece_bytes AS pieceBytes, hashes FROM piece_hashes WHERE task_id = ?',
  )
  return {
    pieces(id) {
      const row = select.get(id)
      if (row === undefined) return null
      const { algorithm, pieceBytes, hashes } = row
      const digits = 2 * (DIGEST_BYTES[algorithm as PieceHashes['algorithm']] ?? 1)
      const values = hashes.match(new RegExp(`.{1,${digits}}`, 'gs'))
      const parsed = PieceHashes.safeParse({ algorithm, pieceBytes, values })
      if (!parsed.success) logger.warn({ taskId: id }, 'stored hashes of pieces are unreadable and were left out')
      return parsed.data ?? null
    },
  }
}
