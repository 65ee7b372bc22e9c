/** What is told to the system, and what is read from it. Nothing here turns a machine off. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { doneNotification } from '../../electron/desktop-power.ts'
import { powerSource } from '../../electron/headless/battery.ts'
import { inhibitorCommand, SleepInhibitor } from '../../electron/headless/sleep-inhibitor.ts'
import { actOnMachine, machineCommand } from '../../electron/platform/machine-actions.ts'
import { runProgram } from '../../electron/platform/run-program.ts'
import { PATIENT_MS } from '../helpers/patience.ts'

const logger = () => ({ debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() })

test('each system is told in its own words, and one that nobody knows is left alone', () => {
  expect(machineCommand('sleep', 'linux')).toEqual({ program: 'systemctl', args: ['suspend'] })
  expect(machineCommand('hibernate', 'linux')).toEqual({ program: 'systemctl', args: ['hibernate'] })
  expect(machineCommand('shutdown', 'linux')).toEqual({ program: 'systemctl', args: ['poweroff'] })
  expect(machineCommand('sleep', 'darwin')).toEqual({ program: 'pmset', args: ['sleepnow'] })
  expect(machineCommand('shutdown', 'darwin')?.program).toBe('osascript')
  expect(machineCommand('hibernate', 'win32')).toEqual({ program: 'shutdown.exe', args: ['/h'] })
  expect(machineCommand('shutdown', 'win32')).toEqual({ program: 'shutdown.exe', args: ['/s', '/t', '0'] })
  expect(machineCommand('sleep', 'sunos')).toBeNull()

  const told = { logger: logger(), quit: vi.fn(), start: vi.fn() }
  actOnMachine('quit', { ...told, platform: 'linux' })
  expect([told.quit, told.start].map(({ mock }) => mock.calls.length)).toEqual([1, 0])
  actOnMachine('shutdown', { ...told, platform: 'linux' })
  expect(told.start.mock.calls[0]![0]).toEqual({ program: 'systemctl', args: ['poweroff'] })
  told.start.mock.calls[0]![1]('exit code 1')
  actOnMachine('sleep', { ...told, platform: 'sunos' })
  expect(told.start).toHaveBeenCalledTimes(1)
  expect(told.logger.error).toHaveBeenCalledTimes(2)
})

test('the machine is kept awake by a process that ends with us; where there is none, that is said once', async () => {
  expect(inhibitorCommand('linux')!.args).toContain('--what=sleep')
  expect(inhibitorCommand('darwin')!.program).toBe('caffeinate')
  expect(inhibitorCommand('win32')).toBeNull()
  const log = logger()
  const inhibitor = new SleepInhibitor(log, { program: process.execPath, args: ['-e', 'process.stdin.resume()'] })
  inhibitor.set(true)
  inhibitor.set(true)
  expect(inhibitor.isHeld).toBe(true)
  inhibitor.set(false)
  expect(inhibitor.isHeld).toBe(false)
  const missing = new SleepInhibitor(log, { program: '/no/such/program', args: [] })
  for (const _ of [1, 2]) {
    missing.set(true)
    await vi.waitFor(() => expect(missing.isHeld).toBe(false), PATIENT_MS)
  }
  new SleepInhibitor(log, null).set(true)
  expect(log.warn).toHaveBeenCalledTimes(2)
})

test('battery and mains are read as Linux says them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nighthaul-power-'))
  const supply = async (name: string, facts: Record<string, string>) => {
    await mkdir(join(folder, name), { recursive: true })
    for (const [fact, value] of Object.entries(facts)) await writeFile(join(folder, name, fact), `${value}\n`)
  }
  try {
    expect(powerSource(join(folder, 'none'))).toBeNull()
    expect(powerSource(folder)).toBeNull()
    await supply('hid-mouse', { type: 'Battery', scope: 'Device', status: 'Discharging' })
    expect(powerSource(folder)).toBeNull()
    await supply('BAT0', { type: 'Battery', status: 'Discharging' })
    expect(powerSource(folder)).toBe('battery')
    await supply('AC', { type: 'Mains', online: '1' })
    expect(powerSource(folder)).toBe('ac')
    await supply('AC', { online: '0' })
    expect(powerSource(folder)).toBe('battery')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a program runs without a shell, for a bounded time, and its output is bounded too', async () => {
  const order = { program: process.execPath, env: { MINE: 'yes' }, timeoutMs: 30_000 }
  const signal = new AbortController().signal
  const script = "process.stdout.write(process.env.MINE + process.argv[1] + 'x'.repeat(100000)); process.exitCode = 3"
  const { code, output } = await runProgram({ ...order, args: ['-e', script, '$HOME'], signal })
  expect(code).toBe(3)
  expect(output.length).toBe(8_192)
  expect(output.startsWith('yes$HOMEx')).toBe(true)
  const forever = ['-e', 'setInterval(() => {}, 1000)']
  await expect(runProgram({ ...order, args: forever, timeoutMs: 50, signal })).rejects.toThrow('had not ended')
  const stop = new AbortController()
  const running = runProgram({ ...order, args: forever, signal: stop.signal })
  stop.abort(new Error('called off'))
  await expect(running).rejects.toThrow('called off')
  await expect(runProgram({ ...order, program: '/no/such/program', args: [], signal })).rejects.toThrow(
    'no such program',
  )
})

test('a notification says what is done and what is not', () => {
  const work = { queueId: 2, queue: 'Night', done: 3, failed: 0, left: 0, bytes: 5_000_000, startedAt: 0, endedAt: 1 }
  expect(doneNotification(work)).toEqual({ title: '“Night” is done', body: '3 finished (5.00 MB)' })
  expect(doneNotification({ ...work, queue: null, failed: 1, left: 1 })).toEqual({
    title: 'All downloads are done',
    body: '3 finished (5.00 MB), 2 not',
  })
})
