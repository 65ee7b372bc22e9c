/** The details of one task, fetched again while it runs and whenever its state changes. */
import { useEffect, useState } from 'react'
import { type ErrorInfo, toErrorInfo } from '../../../shared/errors.ts'
import type { TaskDetail, TaskId } from '../../../shared/schemas.ts'
import { isRunning } from '../../../shared/task-state.ts'
import { call, taskList, useConnection } from '../../session.ts'

const REFRESH_MS = 500

export function useTaskDetail(id: TaskId): { detail: TaskDetail | null; error: ErrorInfo | null } {
  const [shown, setShown] = useState<{ detail: TaskDetail | null; error: ErrorInfo | null }>({
    detail: null,
    error: null,
  })
  const row = taskList.store((state) => state.view.rows.get(id))
  const connected = useConnection((state) => state.status.kind === 'open')
  const state = row?.state
  const errorCode = row?.error?.code
  const verifiedAt = row?.verified?.at
  const startAt = row?.startAt
  useEffect(() => {
    if (!connected) return
    let current = true
    let timer: ReturnType<typeof setTimeout> | undefined
    const refresh = async (): Promise<void> => {
      try {
        const detail = await call('tasks.get', { id })
        if (!current) return
        setShown({ detail, error: null })
        // A task outside the loaded rows tells no changes: look again all the same.
        if (isRunning(detail.state) || state === undefined) timer = setTimeout(refresh, REFRESH_MS)
      } catch (error) {
        if (current) setShown(({ detail }) => ({ detail, error: toErrorInfo(error) }))
      }
    }
    void refresh()
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [id, state, errorCode, verifiedAt, startAt, connected])
  return shown.detail?.id === id ? shown : { detail: null, error: shown.error }
}
