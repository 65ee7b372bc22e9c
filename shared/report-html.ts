/** A report as one HTML page, well-formed as XML too: no scripts, nothing from elsewhere, all texts escaped. Pure. */
import { formatBytes, formatCount, formatDuration, formatRate } from './format.ts'
import { formatMoment, formatSpan, formatTimeOfDay } from './local-time.ts'
import { html, Markup } from './markup.ts'
import type { Graph, NightReport, QuietTime } from './report.ts'
import { reportTitle } from './report-text.en.ts'

/** Rows of one table; the JSON beside the page has all. */
const MOST_ROWS = 1_000

const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --dim: #59636e; --line: #d5dae0; --back: #fff; --bar: #2563c4;
  --quiet: #f0d9a8; --bad: #b3261e; --good: #1a7f37 }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ed; --dim: #9aa4af; --line: #3a424c; --back: #14181d;
  --bar: #6ea8fe; --quiet: #5a4a22; --bad: #ff8f87; --good: #6bd089 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; font: 15px/1.5 system-ui, sans-serif; color: var(--text);
  background: var(--back) }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p { margin: .25rem 0 } .dim { color: var(--dim) } .bad { color: var(--bad) } .good { color: var(--good) }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .75rem 1.5rem; margin: 1.25rem 0 }
dt { color: var(--dim); font-size: .85rem } dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums }
table { border-collapse: collapse; width: 100% }
th, td { text-align: start; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line) }
th { font-weight: 600; font-size: .85rem; color: var(--dim) } td { overflow-wrap: anywhere }
.number { text-align: end; white-space: nowrap; font-variant-numeric: tabular-nums } .time { white-space: nowrap }
.name { font-weight: 600 } svg { width: 100%; height: auto; display: block } svg text { fill: var(--dim); font-size: 11px }
summary { cursor: pointer; font-size: 1.1rem; font-weight: 600; margin: 2rem 0 .5rem }
@media print { details > * { display: block } }
`

export function reportHtml(report: NightReport): string {
  const title = reportTitle(report)
  const page = html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<h1>${title}</h1>
<p class="dim">${formatSpan(report.from, report.to, report.timeZone)} (${report.timeZone}); made ${formatMoment(report.madeAt, report.timeZone)}${report.complete ? '' : ', before its end'}</p>
<p>${report.summary}</p>
${figures(report)}
${report.graph && graphSvg(report.graph, report)}
${failed(report)}
${next(report)}
${undone(report)}
${quiet(report)}
${hosts(report)}
${incidents(report)}
${repeats(report)}
${done(report)}
${changed(report)}
${retried(report)}
${queues(report)}
${finished(report)}
</body>
</html>
`
  return page.text
}

function figures({ totals }: NightReport): Markup {
  const rate = totals.bytesPerSecond === null ? '–' : formatRate(totals.bytesPerSecond)
  const facts: [string, string, string?][] = [
    ['Finished', formatCount(totals.finished)],
    ['Verified', formatCount(totals.verified)],
    ['Nothing to verify against', formatCount(totals.unverified)],
    ['Failed', formatCount(totals.failed), totals.failed > 0 ? 'bad' : ''],
    ['Tried again', formatCount(totals.retried)],
    ['Not done yet', formatCount(totals.undone)],
    ['Received', formatBytes(totals.receivedBytes)],
    ['Average rate', rate],
    ['At work', formatDuration(totals.activeMs)],
    ['Quiet', formatDuration(totals.quietMs)],
  ]
  return html`<dl>${facts.map(([name, value, tone = '']) => html`<div><dt>${name}</dt><dd class="${tone}">${value}</dd></div>`)}</dl>`
}

const WIDTH = 960
const HEIGHT = 180
const BASE = 150
const HOUR_MS = 3_600_000

/** Bytes by step as bars, quiet times behind them. */
function graphSvg({ stepMs, steps }: Graph, { from, to, madeAt, timeZone, quiet }: NightReport): Markup {
  const end = Math.max(from + stepMs, Math.min(to, madeAt))
  const most = Math.max(1, ...steps.map(({ bytes }) => bytes))
  const x = (at: number) => round(((Math.min(Math.max(at, from), end) - from) / (end - from)) * WIDTH)
  const bar = ({ at, bytes }: Graph['steps'][number]) => {
    const height = Math.max(1, round((bytes / most) * (BASE - 20)))
    return html`<rect x="${x(at)}" y="${BASE - height}" width="${Math.max(0.5, x(at + stepMs) - x(at) - 0.3)}" height="${height}"/>`
  }
  const shade = ({ from, to, reasons }: QuietTime) =>
    html`<rect x="${x(from)}" y="20" width="${Math.max(0.5, x(to) - x(from))}" height="${BASE - 20}"><title>${formatSpan(from, to, timeZone)}: ${reasons[0]!.text}</title></rect>`
  const hours = Math.max(1, Math.ceil((end - from) / HOUR_MS / 8))
  const marks: Markup[] = []
  for (let at = from; at < end; at += hours * HOUR_MS)
    marks.push(html`<text x="${x(at)}" y="${BASE + 18}">${formatTimeOfDay(at, timeZone)}</text>`)
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Bytes that came, by the time">
<g fill="var(--quiet)">${quiet.map(shade)}</g>
<g fill="var(--bar)">${steps.map(bar)}</g>
<line x1="0" y1="${BASE}" x2="${WIDTH}" y2="${BASE}" stroke="var(--line)"/>
<text x="0" y="12">up to ${formatRate((most * 1000) / stepMs)}; shaded: nothing came although something was wanted</text>
${marks}
</svg>`
}

const round = (value: number) => Math.round(value * 10) / 10

function section(title: string, content: Markup | null): Markup | null {
  return content && html`<section><h2>${title}</h2>${content}</section>`
}

interface Column<T> {
  head: string
  kind?: 'number' | 'time' | 'name' | 'bad'
  cell: (row: T) => string | Markup
}

function table<T>(rows: readonly T[], columns: readonly Column<T>[]): Markup | null {
  if (rows.length === 0) return null
  const line = (row: T) =>
    html`<tr>${columns.map(({ kind = '', cell }) => html`<td class="${kind}">${cell(row)}</td>`)}</tr>`
  const more = rows.length - MOST_ROWS
  return html`<table><thead><tr>${columns.map(({ head, kind = '' }) => html`<th class="${kind === 'number' ? kind : ''}">${head}</th>`)}</tr></thead>
<tbody>${rows.slice(0, MOST_ROWS).map(line)}</tbody></table>
${more > 0 && html`<p class="dim">and ${formatCount(more)} more: the JSON file has all.</p>`}`
}

/** Its direction of writing is its own business. */
const download = {
  head: 'Download',
  kind: 'name' as const,
  cell: ({ name }: { name: string }) => html`<bdi>${name}</bdi>`,
}
const link = { head: 'From', cell: ({ url }: { url: string }) => html`<bdi class="dim">${url}</bdi>` }
const when = (report: NightReport) => ({
  head: 'When',
  kind: 'time' as const,
  cell: ({ at }: { at: number }) => formatMoment(at, report.timeZone),
})
const reason = {
  head: 'Why',
  cell: ({ reason }: { reason: { title: string; message: string } }) =>
    html`<span class="bad">${reason.title}</span><br/><span class="dim">${reason.message}</span>`,
}
const nextStep = { head: 'Next step', cell: ({ reason }: { reason: { next: string } }) => reason.next }

function failed(report: NightReport): Markup | null {
  const tries = { head: 'Tries', kind: 'number' as const, cell: (row: { tries: number }) => formatCount(row.tries) }
  return section('Failed', table(report.failed, [download, when(report), reason, nextStep, tries, link]))
}

function changed(report: NightReport): Markup | null {
  const done = { restart: 'Started over', keep: 'The partial was kept' }
  const decision = {
    head: 'Decision',
    cell: (row: NightReport['changed'][number]) => (row.decision === null ? 'Waits for yours' : done[row.decision]),
  }
  return section('Changed on the server', table(report.changed, [download, when(report), reason, decision, link]))
}

const OUTCOMES = { finished: 'Finished', failed: 'Failed', removed: 'Removed', open: 'Not done yet' } as const

function retried(report: NightReport): Markup | null {
  return section(
    'Tried again',
    table(report.retried, [
      download,
      { head: 'Times', kind: 'number', cell: ({ times }) => formatCount(times) },
      {
        head: 'Why',
        cell: ({ reasons }) => reasons.map((why) => `${why.title} × ${formatCount(why.times)}`).join('; '),
      },
      { head: 'Outcome', cell: ({ outcome }) => OUTCOMES[outcome] },
      link,
    ]),
  )
}

function next(report: NightReport): Markup | null {
  const moment = (at: number | null) => (at === null ? '' : formatMoment(at, report.timeZone))
  return section(
    'What is tried next',
    table(report.next, [
      { head: 'When', kind: 'time', cell: ({ at }) => moment(at) },
      { head: 'What', cell: ({ text }) => text },
    ]),
  )
}

function undone(report: NightReport): Markup | null {
  if (report.undone.length === 0) return null
  const here = (row: NightReport['undone'][number]) =>
    row.sizeBytes === null
      ? formatBytes(row.writtenBytes)
      : `${formatBytes(row.writtenBytes)} of ${formatBytes(row.sizeBytes)}`
  const rows = table(report.undone, [
    download,
    { head: 'Here', kind: 'number', cell: here },
    { head: 'Why', cell: ({ reason, state }) => reason?.title ?? state },
    { head: 'Next', cell: ({ text, reason, state }) => (state === 'failed' && reason ? reason.next : text) },
    {
      head: 'When',
      kind: 'time',
      cell: ({ nextAt }) => (nextAt === null ? '' : formatMoment(nextAt, report.timeZone)),
    },
  ])
  return html`<details${report.undone.length <= 20 && new Markup(' open="open"')}><summary>Not done yet: ${formatCount(report.totals.undone)}</summary>${rows}</details>`
}

function quiet(report: NightReport): Markup | null {
  return section(
    'Quiet times',
    table(report.quiet, [
      { head: 'When', kind: 'time', cell: ({ from, to }) => formatSpan(from, to, report.timeZone) },
      { head: 'How long', kind: 'number', cell: ({ from, to }) => formatDuration(to - from) },
      {
        head: 'Why nothing came',
        cell: ({ reasons }) =>
          reasons.length === 1
            ? reasons[0]!.text
            : reasons.map(({ text, ms }) => `${text} (${formatDuration(ms)})`).join(' '),
      },
    ]),
  )
}

function hosts(report: NightReport): Markup | null {
  return section(
    'Hosts that refused',
    table(report.hosts, [
      { head: 'When', kind: 'time', cell: ({ from, until }) => formatSpan(from, until, report.timeZone) },
      { head: 'What', cell: ({ text }) => text },
    ]),
  )
}

function incidents(report: NightReport): Markup | null {
  return section(
    'What happened to the machine',
    table(report.incidents, [
      { head: 'When', kind: 'time', cell: ({ from, to }) => formatSpan(from, to, report.timeZone) },
      { head: 'What', cell: ({ text }) => text },
    ]),
  )
}

function repeats(report: NightReport): Markup | null {
  const next = ({ nextAt }: NightReport['repeats'][number]) =>
    nextAt === null ? 'not planned' : formatMoment(nextAt, report.timeZone)
  return section(
    'Repeating downloads',
    table(report.repeats, [
      download,
      when(report),
      {
        head: 'What became of it',
        cell: ({ result, text }) => (result === 'failed' ? html`<span class="bad">${text}</span>` : text),
      },
      { head: 'Next', kind: 'time', cell: next },
      link,
    ]),
  )
}

function done(report: NightReport): Markup | null {
  return section(
    'Done when the work was done',
    table(report.done, [
      when(report),
      { head: 'What', cell: ({ ok, text }) => (ok ? text : html`<span class="bad">${text}</span>`) },
    ]),
  )
}

function queues(report: NightReport): Markup | null {
  const rows = report.queues.filter(
    ({ totals }) => totals.finished + totals.failed + totals.retried + totals.undone + totals.receivedBytes > 0,
  )
  if (rows.length < 2 && report.queueId === null) return null
  const open = ({ windows }: (typeof rows)[number]) =>
    windows === null
      ? 'always'
      : windows.map(({ from, to }) => formatSpan(from, to, report.timeZone)).join('; ') || 'never'
  return section(
    'Queues',
    table(rows, [
      { head: 'Queue', kind: 'name', cell: ({ name }) => html`<bdi>${name}</bdi>` },
      { head: 'Finished', kind: 'number', cell: ({ totals }) => formatCount(totals.finished) },
      { head: 'Failed', kind: 'number', cell: ({ totals }) => formatCount(totals.failed) },
      { head: 'Left', kind: 'number', cell: ({ totals }) => formatCount(totals.undone) },
      { head: 'Received', kind: 'number', cell: ({ totals }) => formatBytes(totals.receivedBytes) },
      {
        head: 'Rate',
        kind: 'number',
        cell: ({ totals }) => (totals.bytesPerSecond === null ? '–' : formatRate(totals.bytesPerSecond)),
      },
      { head: 'Quiet', kind: 'number', cell: ({ totals }) => formatDuration(totals.quietMs) },
      { head: 'Might work', cell: open },
    ]),
  )
}

function finished(report: NightReport): Markup | null {
  if (report.finished.length === 0) return null
  const rows = table(report.finished, [
    download,
    when(report),
    { head: 'Size', kind: 'number', cell: ({ bytes }) => formatBytes(bytes) },
    { head: 'Took', kind: 'number', cell: ({ activeMs }) => formatDuration(activeMs) },
    {
      head: 'Verified',
      cell: ({ against }) =>
        against === null
          ? html`<span class="dim">nothing to verify against</span>`
          : html`<span class="good">${against.text}</span>`,
    },
    link,
  ])
  return html`<details${report.finished.length <= 50 && new Markup(' open="open"')}><summary>Finished: ${formatCount(report.totals.finished)}</summary>${rows}</details>`
}
