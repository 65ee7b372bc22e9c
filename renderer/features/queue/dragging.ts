/** What is being dragged inside the window: downloads of the list, or a queue. Its kind is in the drag, itself it is here. */
import type { DragEvent } from 'react'
import type { QueueId, Selection } from '../../../shared/schemas.ts'
import { currentSelection } from '../../actions.ts'

const TASKS = 'application/x-nighthaul-downloads'
const QUEUE = 'application/x-nighthaul-queue'

let tasks: Selection | null = null

/** The selected downloads; what is dragged may be all of the list, so no ids go along. */
export function dragTasks(event: DragEvent): void {
  tasks = currentSelection()
  if (tasks === null) {
    event.preventDefault()
    return
  }
  event.dataTransfer.setData(TASKS, 'selected')
  event.dataTransfer.effectAllowed = 'move'
}

export function isDraggingTasks(event: DragEvent): boolean {
  return event.dataTransfer.types.includes(TASKS)
}

export function draggedTasks(): Selection | null {
  return tasks
}

export function dragQueue(event: DragEvent, id: QueueId): void {
  event.dataTransfer.setData(QUEUE, String(id))
  event.dataTransfer.effectAllowed = 'move'
}

export function isDraggingQueue(event: DragEvent): boolean {
  return event.dataTransfer.types.includes(QUEUE)
}

export function draggedQueue(event: DragEvent): QueueId | null {
  return Number(event.dataTransfer.getData(QUEUE)) || null
}
