/** Table `notices`: what people have to be told until they have read it. */
import type { ErrorParams } from '../../shared/errors.ts'
import { isNoticeCode, type Notice, type NoticeCode } from '../../shared/notices.ts'
import type { TaskStore } from '../../shared/records.ts'
import type { Connection } from './database.ts'
import type { SalvageReport } from './salvage.ts'

type Notices = Pick<TaskStore, 'notices' | 'addNotice' | 'dismissNotice' | 'dropNotices'>

export function createNotices({ db, intent }: Connection): Notices {
  const select = db.prepare<[], { id: number; at: number; code: string; params: string }>(
    'SELECT id, at, code, params FROM notices ORDER BY id',
  )
  const insert = db.prepare<[number, string, string]>('INSERT INTO notices (at, code, params) VALUES (?, ?, ?)')
  const remove = db.prepare<[number]>('DELETE FROM notices WHERE id = ?')
  const removeCode = db.prepare<[string]>('DELETE FROM notices WHERE code = ?')
  return {
    notices: () =>
      select.all().flatMap(({ id, at, code, params }): Notice[] => {
        // Of another version, or damaged: what cannot be said is left out.
        if (!isNoticeCode(code)) return []
        try {
          return [{ id, at, code, params: JSON.parse(params) }]
        } catch {
          return [{ id, at, code, params: {} }]
        }
      }),
    addNotice: ({ at, code, params }) => intent(() => void insert.run(at, code, JSON.stringify(params))),
    dismissNotice: (id) => intent(() => remove.run(id).changes > 0),
    dropNotices: (code) => intent(() => removeCode.run(code).changes > 0),
  }
}

/** What people are told of a salvage. */
export function salvageNotices(report: SalvageReport): { code: NoticeCode; params: ErrorParams }[] {
  const { setAside, tasksKept: kept, tasksFromBackup: fromBackup, tasksLost: lost, unsure } = report
  const parts = { code: 'list_parts_unsure', params: { parts: unsure.join(', '), setAside } } as const
  return [
    lost === null
      ? { code: 'list_salvaged_unsure', params: { kept, fromBackup, setAside } }
      : { code: 'list_salvaged', params: { kept, fromBackup, lost, setAside } },
    ...(unsure.length > 0 ? [parts] : []),
  ]
}
