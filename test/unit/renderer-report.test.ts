/** The graph of a report: which time it shows, and steps that brought nothing. */
import { expect, test } from 'vitest'
import { graphRange, graphSamples } from '../../renderer/features/report/graph-samples.ts'

const MINUTE = 60_000
const graph = {
  stepMs: 2 * MINUTE,
  steps: [
    { at: 100 * MINUTE, bytes: 240 },
    { at: 106 * MINUTE, bytes: 120 },
  ],
}

test('the graph begins shortly before something happened and ends shortly after, with silence between', () => {
  const range = graphRange({ from: 0, to: 720 * MINUTE, quiet: [] }, graph)
  expect(range).toEqual({ from: 98 * MINUTE, to: 110 * MINUTE })
  expect(graphSamples(graph, range).map(({ at, bytesPerSecond }) => [at / MINUTE, bytesPerSecond])).toEqual([
    [98, 0],
    [100, 2],
    [102, 0],
    [104, 0],
    [106, 1],
    [108, 0],
  ])
})

test('quiet times are in it, and it never leaves the night', () => {
  const quiet = [{ from: MINUTE, to: 200 * MINUTE, reasons: [] }]
  expect(graphRange({ from: 0, to: 201 * MINUTE, quiet }, graph)).toEqual({ from: 0, to: 201 * MINUTE })
  expect(graphRange({ from: 5, to: 9, quiet: [] }, { stepMs: MINUTE, steps: [] })).toEqual({ from: 5, to: 9 })
})
