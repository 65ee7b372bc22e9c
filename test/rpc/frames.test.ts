/** Frames as text: the size bound, and lines cut from a stream of bytes. */

import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { lineSplitter } from '../../electron/rpc/line-splitter.ts'
import { serve } from '../../electron/rpc/server.ts'
import { socketDuplex } from '../../electron/rpc/socket-duplex.ts'
import { decodeFrame, encodeFrame, MAX_FRAME_BYTES } from '../../shared/frames.ts'
import { createClient } from '../../shared/rpc-client.ts'
import fc from '../helpers/property.ts'
import { TestHub, testContract, testHandlers } from '../helpers/rpc-hub.ts'

describe('the text of a frame', () => {
  test('is refused exactly when its UTF-8 is larger than the bound', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 50 }), fc.integer({ min: -3, max: 3 }), (text, difference) => {
        const bytes = Buffer.byteLength(JSON.stringify(text))
        const bound = bytes + difference
        if (difference < 0) expect(() => encodeFrame(text, bound)).toThrow('larger than')
        else expect(decodeFrame(encodeFrame(text, bound))).toBe(text)
      }),
    )
  })

  test('carries 100,000 links of 600 characters in one call', () => {
    const items = Array.from({ length: 100_000 }, (_, index) => ({
      url: `https://a.example/${index}/`.padEnd(600, 'x'),
    }))
    const text = encodeFrame({ type: 'call', id: 1, method: 'tasks.add', input: { items } })
    expect(text.length).toBeLessThan(MAX_FRAME_BYTES)
  })

  test('that is no JSON decodes to what is no frame', () => {
    for (const text of ['', '{', 'nope', undefined, Buffer.from('{}')]) expect(decodeFrame(text)).toBe(undefined)
  })
})

describe('lines of a stream', () => {
  test('come out whole however the bytes were cut', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('\n'))
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (lines, sizes) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''))
        const heard: (string | null)[] = []
        const feed = lineSplitter(1000, (text) => heard.push(text))
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const end = at + sizes[turn % sizes.length]!
          feed(bytes.subarray(at, end))
          at = end
        }
        expect(heard).toEqual(lines)
      }),
    )
  })

  test('longer than the bound come out as null, the next one whole', () => {
    const heard: (string | null)[] = []
    const feed = lineSplitter(4, (text) => heard.push(text))
    for (const chunk of ['abcd\nabc', 'de', 'fghi', 'j\nab', 'c\n\n']) feed(Buffer.from(chunk))
    expect(heard).toEqual(['abcd', null, 'abc', ''])
  })
})

test('a local socket refuses a frame that is too large at both ends, and goes on', async () => {
  const maxFrameBytes = 10_000
  const listener = createServer((socket) => {
    serve(socketDuplex(socket, { maxFrameBytes }), {
      contract: testContract,
      handlers: testHandlers({ rev: 1 }),
      events: new TestHub(),
      version: '1.2.3',
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const socket = createConnection((listener.address() as AddressInfo).port, '127.0.0.1')
  const duplex = socketDuplex(socket, { maxFrameBytes })
  const client = createClient(testContract, duplex)
  await expect(client.call('echo', { value: 'é'.repeat(5_000) })).rejects.toMatchObject({ code: 'frame_invalid' })
  expect(await client.call('echo', { value: 'é'.repeat(4_900) })).toBeDefined()
  const closed = new Promise<void>((resolve) => client.onClose(resolve))
  const pending = client.call('never')
  // past our own check: the server drops the line and complains to nobody in particular, which ends this client
  socket.write(`${'x'.repeat(20_000)}\n`)
  await expect(pending).rejects.toMatchObject({ code: 'frame_invalid' })
  await closed
  await new Promise((resolve) => listener.close(resolve))
})
