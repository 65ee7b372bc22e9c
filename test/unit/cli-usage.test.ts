import { afterEach, describe, expect, test, vi } from 'vitest'
import { run } from '../../electron/cli/main.ts'

afterEach(() => vi.restoreAllMocks())

/** Runs a command that ends before it touches network or profile, in this process. */
async function heard(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      texts[name] += String(chunk)
      return true
    })
  }
  return { code: await run(args), ...texts }
}

describe('what cannot be done is said in one sentence, with exit code 2, before anything starts', () => {
  const url = 'http://127.0.0.1:9/x'
  test.each([
    ['a flag that does not exist', ['get', '--jsn', url], '--json'],
    ['a command that does not exist', ['gett', url], 'get'],
    ['a link instead of a command', [url], `nighthaul get ${url}`],
    ['no link', ['get'], '-i FILE'],
    ['what is no link', ['get', 'example.org/x'], 'https://'],
    ['another scheme', ['get', 'ftp://example.org/x'], 'ftp://example.org/x'],
    ['a bad link among good ones', ['get', url, 'nope'], 'nope'],
    ['connections out of range', ['get', '-x', '0', url], '--connections'],
    ['what is no rate', ['get', '--limit-rate', 'fast', url], '500K'],
    ['what is no checksum', ['get', '--checksum', 'abc', url], 'sha-256=HEX'],
    ['what is no header', ['get', '--header', 'abc', url], "'Name: value'"],
    ['an unknown choice', ['get', '--on-change', 'maybe', url], 'ask, restart, keep'],
    ['one name for two files', ['get', '-o', 'a', url, `${url}2`], '-d DIR'],
    ['a file without a name', ['get', '-o', '', url], '-o'],
    ['a folder without a name', ['get', '-d', '', url], '-d'],
    ['a folder as the file', ['get', '-o', './', url], '-d ./'],
    ['two links to standard output', ['get', '-o', '-', url, `${url}2`], 'one URL'],
    ['JSON and bytes in one stream', ['get', '-o', '-', '--json', url], '--json'],
    ['a night that is no date', ['report', '--night', 'yesterday'], '2026-11-25'],
    ['a report that ends before it begins', ['report', '--from', '2026-01-02', '--to', '2026-01-01'], '--from'],
    ['a night and a time', ['report', '--night', '2026-11-25', '--from', '2026-01-02'], '--from'],
    ['a report as two things', ['report', '--json', '--html', 'a.html'], '--html'],
    ['a list that is not there', ['get', '-i', 'none.txt', url], 'none.txt'],
    ['a cURL command that asks for too much', ['get', '--curl', `curl -k ${url}`], '-k: certificates'],
    ['a cURL flag that is not known', ['add', '--curl', `curl --next ${url}`], '--next'],
    ['a file in a cURL command that is not there', ['get', '--curl', `curl -d @none.txt ${url}`], 'none.txt'],
    ['two things from one standard input', ['get', '--curl', '-', '-i', '-'], 'standard input'],
    ['a method that brings no file', ['get', '--method', 'DELETE', url], 'GET, POST'],
    ['a body that is not there', ['get', '--data', '@none.txt', url], '--data'],
    ['a body that is too large', ['get', '--data', 'x'.repeat(1024 * 1024 + 1), url], '1 MiB'],
    ['a key without its certificate', ['get', '--key', 'k.pem', url], '--cert'],
    ['a token with spaces', ['get', '--bearer', 'a b', url], '--bearer'],
    ['a time that is none', ['get', '--connect-timeout', 'soon', url], '--connect-timeout'],
    ['cookies that are not there', ['get', '--cookies', 'none.txt', url], 'none.txt'],
    ['what is no proxy', ['get', '--proxy', 'ftp://a', url], 'socks5://'],
    ['no link to compare with', ['bench'], '--url'],
    ['more bytes than is polite', ['bench', '--url', url, '--max-bytes', '2G'], '--max-bytes'],
    ['a rate for an amount', ['bench', '--url', url, '--max-bytes', '64M/s'], '64M'],
    ['what is no port', ['serve', '--port', 'x'], '--port'],
    ['what is no id', ['show', 'x'], 'nighthaul list'],
    ['no id', ['pause'], 'id'],
    ['a start that is past', ['add', '--start-at', '2020-01-01T00:00', url], 'past'],
    ['a start that is no time', ['set', '1', '--start-at', '25:00'], '23:00'],
    ['two starts', ['set', '1', '--start-at', '23:00', '--start-in', '2h'], 'use one of them'],
    ['what is no time span', ['set', '1', '--start-in', 'soon'], '1h30m'],
    ['a zone without a time', ['set', '1', '--tz', 'UTC'], '--start-at'],
    ['a zone that does not exist', ['add', '--start-at', '23:00', '--tz', 'Mars/Olympus', url], 'Europe/Berlin'],
    ['a profile that does not exist', ['schedule', 'profile', 'use', 'party'], 'full, day, calls, night'],
    ['two ends of one choice', ['schedule', 'profile', 'use', 'full', '--for', '1h', '--always'], 'use one of them'],
    ['nothing to change', ['schedule', 'profile', 'set', 'day'], '--limit-rate'],
    ['a repeating download without a time', ['schedule', 'repeat', 'add', url], '--when'],
  ])('%s', async (_what, args, helpful) => {
    const { code, stdout, stderr } = await heard(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^nighthaul: [^\n]+\n$/)
    expect(stderr).toContain(helpful)
    expect(stderr).not.toContain('    at ')
  })

  test('--help and --version are no mistakes', async () => {
    expect(await heard(['--version'])).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    })
    const help = await heard(['get', '--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain('Examples:')
  })

  test('no command is answered with the help', async () => {
    const { code, stdout, stderr } = await heard([])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('Commands:')
  })
})

describe('help of what decides about nights has examples', () => {
  test.each([
    ...[
      'queue',
      'queue add',
      'queue set',
      'queue stop',
      'force',
      'reorder',
      'report',
      'report nights',
      'countdown cancel',
    ],
    ...['schedule', 'schedule preview', 'schedule forecast', 'schedule profile', 'schedule profile use'],
    ...['schedule repeat', 'schedule repeat add', 'schedule repeat set', 'schedule missed', 'schedule missed run'],
  ])('%s', async (command) => {
    const { code, stdout } = await heard([...command.split(' '), '--help'])
    expect(code).toBe(0)
    expect(stdout.match(/^Examples:\n {2}nighthaul /gm)).toHaveLength(1)
  })
})
