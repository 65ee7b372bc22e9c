/** What every graph here needs: a round top for its axis, its size and its colours kept up. */
import type uPlot from 'uplot'
import { formatRate } from '../../../shared/format.ts'
import type { ThroughputSample } from '../../../shared/schemas.ts'

const LEAST_TOP = 100_000
const AXIS_WIDTH = 64

/** A round top for the axis, at least 100 kB/s so that silence is a flat line at the bottom. Pure. */
export function axisTop(peak: number): number {
  const least = Math.max(LEAST_TOP, peak * 1.05)
  const magnitude = 10 ** Math.floor(Math.log10(least))
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((candidate) => candidate * magnitude >= least) ?? 10
  return step * magnitude
}

/** The look of a graph of rates over time: a line over its area, rates on the right. Colours are read when drawing. */
export function rateGraph(
  element: HTMLElement,
  time: { scale: uPlot.Scale; axis: Pick<uPlot.Axis, 'splits' | 'values'>; onPoint: (index: number | null) => void },
): uPlot.Options {
  const colour = (name: string): string => getComputedStyle(element).getPropertyValue(name)
  const font = `11px ${getComputedStyle(element).fontFamily}`
  const faint = { stroke: () => colour('--text-faint'), font, ticks: { show: false } }
  return {
    ...sizeOf(element),
    padding: [8, 0, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: false, ...time.scale }, y: { range: (_, __, max) => [0, axisTop(max ?? 0)] } },
    axes: [
      { ...faint, size: 18, gap: 2, grid: { show: false }, ...time.axis },
      {
        ...faint,
        side: 1,
        size: AXIS_WIDTH,
        gap: 6,
        grid: { stroke: () => colour('--line'), width: 1 },
        splits: (_, __, ___, max) => [0, max / 2, max],
        values: (_, splits) => splits.map((value, index) => (index === 0 ? '' : formatRate(value))),
      },
    ],
    series: [
      {},
      {
        stroke: () => colour('--accent'),
        fill: () => colour('--accent-faint'),
        width: 1.5,
        points: { show: false },
      },
    ],
    hooks: {
      setCursor: [({ cursor }) => time.onPoint(cursor.idx == null || (cursor.left ?? -1) < 0 ? null : cursor.idx)],
    },
  }
}

/** Samples as uPlot takes them: seconds and rates. */
export function toColumns(samples: readonly ThroughputSample[]): uPlot.AlignedData {
  return [samples.map(({ at }) => at / 1000), samples.map(({ bytesPerSecond }) => bytesPerSecond)]
}

function sizeOf(element: HTMLElement): Pick<uPlot.Options, 'width' | 'height'> {
  return { width: Math.max(1, element.clientWidth), height: Math.max(1, element.clientHeight) }
}

/** Follows the element's size and the theme until the answer is called, which also destroys the graph. */
export function keepCurrent(plot: uPlot, element: HTMLElement): () => void {
  const resizing = new ResizeObserver(() => plot.setSize(sizeOf(element)))
  resizing.observe(element)
  // Colours are read when drawing: another theme means drawing again.
  const repaint = (): void => plot.redraw(false, true)
  const scheme = matchMedia('(prefers-color-scheme: dark)')
  scheme.addEventListener('change', repaint)
  const themed = new MutationObserver(repaint)
  themed.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  return () => {
    resizing.disconnect()
    scheme.removeEventListener('change', repaint)
    themed.disconnect()
    plot.destroy()
  }
}
