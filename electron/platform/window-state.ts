/** Remembers where the window was. A lost or damaged file means the default place: it is not worth an error. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Rectangle } from 'electron'
import { z } from 'zod'

const WindowState = z.object({
  bounds: z.object({ x: z.int(), y: z.int(), width: z.int().min(200), height: z.int().min(200) }),
  maximized: z.boolean(),
})
export type WindowState = z.infer<typeof WindowState>

/** The least part of the window that must lie on a screen, so that it can be seen and moved. */
const REACHABLE = { width: 120, height: 60 }

/** Whether a window there could be reached on one of these screens; screens come and go between runs. */
export function isReachable(bounds: Rectangle, workAreas: readonly Rectangle[]): boolean {
  return workAreas.some((area) => {
    const width = Math.min(bounds.x + bounds.width, area.x + area.width) - Math.max(bounds.x, area.x)
    const height = Math.min(bounds.y + bounds.height, area.y + area.height) - Math.max(bounds.y, area.y)
    return width >= REACHABLE.width && height >= REACHABLE.height && bounds.y >= area.y
  })
}

/** The remembered state, or null where there is none that fits the screens. */
export function readWindowState(path: string, workAreas: readonly Rectangle[]): WindowState | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return null
  }
  const parsed = WindowState.safeParse(parseJson(text))
  return parsed.success && isReachable(parsed.data.bounds, workAreas) ? parsed.data : null
}

export function writeWindowState(path: string, state: WindowState): void {
  writeFileSync(path, JSON.stringify(state))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
