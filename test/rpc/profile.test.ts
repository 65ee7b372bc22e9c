/** The profile folder, its paths, and the lock that makes one living process the owner of its queue. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ownIdentity, processStart } from '../../electron/process-identity.ts'
import {
  bootId,
  databasePath,
  isOwnerAlive,
  isQueueOwned,
  leaseOwner,
  profileFolder,
  queueOwner,
  socketPath,
  takeQueueLock,
} from '../../electron/profile.ts'

let folder: string
const children: ChildProcess[] = []
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'nighthaul-profile-')))
})
afterEach(async () => {
  await Promise.all(children.splice(0).map(kill))
  rmSync(folder, { recursive: true, force: true })
})

describe('the profile folder', () => {
  test('is the flag, else NIGHTHAUL_HOME, and is created for its user alone', () => {
    const flag = join(folder, 'a/flag')
    const home = join(folder, 'home')
    expect(profileFolder({ flag, env: { NIGHTHAUL_HOME: home } })).toBe(flag)
    expect(profileFolder({ env: { NIGHTHAUL_HOME: home } })).toBe(home)
    if (process.platform !== 'win32') expect(statSync(home).mode & 0o777).toBe(0o700)
  })

  test('that cannot be is refused', () => {
    writeFileSync(join(folder, 'file'), '')
    expect(() => profileFolder({ flag: join(folder, 'file/x'), env: {} })).toThrow(
      /cannot be created .*nothing was changed/,
    )
    expect(() => profileFolder({ flag: join(folder, 'file'), env: {} })).toThrow(/cannot be created/)
  })

  test.skipIf(process.platform === 'win32')(
    'has one socket, whatever link leads to it, short enough to listen on',
    () => {
      const deep = join(folder, 'x'.repeat(60), 'y'.repeat(60))
      mkdirSync(deep, { recursive: true })
      symlinkSync(deep, join(folder, 'link'))
      const profile = profileFolder({ flag: join(folder, 'link'), env: {} })
      expect(profile).toBe(deep)
      expect(Buffer.byteLength(socketPath(profile))).toBeLessThan(104)
      expect(socketPath(profile)).not.toBe(socketPath(`${deep}z`))
      expect(socketPath(folder)).toBe(join(folder, 'engine.sock'))
      expect(databasePath(folder)).toBe(join(folder, 'nighthaul.db'))
    },
  )
})

describe('the queue lock', () => {
  test('refuses a second owner, in this process too, with the pid and what to do', () => {
    const lock = takeQueueLock(folder, 'app')
    expect(queueOwner(folder)).toEqual({ pid: process.pid, kind: 'app' })
    expect(() => takeQueueLock(folder, 'headless')).toThrow(
      expect.objectContaining({ code: 'profile_locked', params: { pid: process.pid, kind: 'app', profile: folder } }),
    )
    expect(() => takeQueueLock(folder, 'headless')).toThrow(new RegExp(`process ${process.pid}.*--profile`))
    lock.release()
    expect(isQueueOwned(folder)).toBe(false)
    const next = takeQueueLock(folder, 'headless')
    lock.release() // an old lock does not release a new one
    expect(isQueueOwned(folder)).toBe(true)
    next.release()
    expect(readdirSync(folder)).toEqual([])
  })

  test('cannot be in a folder that is gone: one sentence', () => {
    expect(() => takeQueueLock(join(folder, 'gone'), 'app')).toThrow(
      expect.objectContaining({
        code: 'folder_not_writable',
        params: { folder: join(folder, 'gone'), code: 'ENOENT' },
      }),
    )
  })

  test('of another process is refused while that lives, and taken over once it was killed', async () => {
    const child = await holder()
    expect(child.said).toMatchObject({ taken: true })
    expect(isQueueOwned(folder)).toBe(true)
    expect(isOwnerAlive(child.said.owner!)).toBe(true)
    expect(() => takeQueueLock(folder, 'app')).toThrow(
      expect.objectContaining({ code: 'profile_locked', params: expect.objectContaining({ pid: child.process.pid }) }),
    )
    await kill(child.process)
    expect(isQueueOwned(folder)).toBe(false)
    expect(isOwnerAlive(child.said.owner!)).toBe(false)
    const lock = takeQueueLock(folder, 'app')
    expect(queueOwner(folder)).toEqual({ pid: process.pid, kind: 'app' })
    lock.release()
    expect(readdirSync(folder)).toEqual([])
  })

  test('left by a dead process goes to exactly one of many that start at once', async () => {
    leave({ pid: deadPid() })
    const started = await Promise.all(Array.from({ length: 6 }, holder))
    const owners = started.filter(({ said }) => said.taken)
    expect(owners).toHaveLength(1)
    expect(queueOwner(folder)?.pid).toBe(owners[0]!.process.pid)
    for (const { said } of started) if (!said.taken) expect(said.code).toBe('profile_locked')
  })

  test('is not fooled by a process that got the pid of a dead owner', () => {
    const start = processStart(process.pid)!
    if (start === '') return // this system does not tell when a process began: the pid has to do
    leave({ pid: process.pid, start: `${start}0` })
    expect(isQueueOwned(folder)).toBe(false)
    takeQueueLock(folder, 'app').release()
    leave({ pid: process.pid, start })
    expect(isQueueOwned(folder)).toBe(true)
  })

  test('is taken over when the one that was taking it over died too', () => {
    const dead = deadPid()
    leave({ pid: dead, nonce: 'aa' })
    leave({ pid: dead, nonce: 'bb' }, 'queue.lock.aa')
    const lock = takeQueueLock(folder, 'app')
    expect(queueOwner(folder)?.pid).toBe(process.pid)
    lock.release()
    expect(readdirSync(folder)).toEqual([])
  })

  test('is not taken while another living process is taking it over', () => {
    leave({ pid: deadPid(), nonce: 'aa' })
    leave({ ...ownIdentity(), nonce: 'bb' }, 'queue.lock.aa')
    expect(() => takeQueueLock(folder, 'app')).toThrow(expect.objectContaining({ code: 'profile_locked' }))
    expect(readdirSync(folder).sort()).toEqual(['queue.lock', 'queue.lock.aa'])
  })

  test.each(['', '{', 'null', '{"pid":"1"}', '{"pid":1,"start":"","nonce":"../x"}'])(
    'that holds %j is waited for while young, then taken over',
    (text) => {
      const path = join(folder, 'queue.lock')
      writeFileSync(path, text)
      expect(() => takeQueueLock(folder, 'app')).toThrow(/Try again in a moment/)
      utimesSync(path, 1, 1)
      takeQueueLock(folder, 'app')
      expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid })
    },
  )
})

describe('the names of processes', () => {
  test('a lease names this process, each one anew', () => {
    const owner = leaseOwner()
    expect(owner).toMatch(/^\d+:[^:]*:[^:]+$/)
    expect(leaseOwner()).not.toBe(owner)
    expect(isOwnerAlive(owner)).toBe(true)
  })

  test.each(['', 'x', '0:0:n', '-1:0:n', 'NaN:1:n', '99999999999999999999:1:n', `${process.pid}`])(
    '“%s” is nobody alive',
    (owner) => {
      expect(isOwnerAlive(owner)).toBe(false)
    },
  )

  test('a boot has a name that all processes agree on', async () => {
    const script = `import { bootId } from './electron/profile.ts'; process.stdout.write(bootId())`
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    for await (const chunk of child.stdout) said += chunk
    expect(said).not.toBe('')
    expect(said).toBe(bootId())
  })
})

interface Said {
  taken: boolean
  owner?: string
  code?: string
}

/** A process that tries to take the lock, once it has said how that went. */
async function holder(): Promise<{ process: ChildProcess; said: Said }> {
  const script = join(import.meta.dirname, '../helpers/rpc-lock-child.ts')
  const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
  return { process: child, said: JSON.parse(line) as Said }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

function leave(lock: { pid: number; start?: string; nonce?: string }, name = 'queue.lock'): void {
  writeFileSync(join(folder, name), JSON.stringify({ start: '1.x', kind: 'headless', nonce: 'abc', ...lock }))
}

/** Above every limit: never a process. */
function deadPid(): number {
  return 2 ** 30
}
