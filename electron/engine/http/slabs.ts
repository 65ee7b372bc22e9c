/**
 * Large buffers that sockets read into and that are used again once the disk has their bytes. Reading into fresh
 * 64 KiB buffers instead costs more in garbage than all the parsing.
 *
 * A slab goes back to the pool only after every byte read into it was released, and exactly once. Whoever forgets to
 * release, or keeps bytes, costs a buffer to the garbage collector and nothing else.
 */

/** Half a write: as fast as twice that, and several connections hold less. */
export const SLAB_BYTES = 512 * 1024
/** With less room than this a slab is full: a shorter read costs more than the rest is worth. */
const MIN_READ_BYTES = 64 * 1024
/**
 * Slabs kept for later: some, and four for each in use, which is how many a connection fills before they are written.
 * With fewer, slabs go to the garbage collector by the hundred, and come back from a heap that has to grow for them.
 */
const FEW_IDLE = 8
const IDLE_EACH = 4
const MAX_IDLE = 40

interface Slab {
  readonly bytes: Buffer
  read: number
  released: number
  /** the socket has gone on to another slab, or has ended */
  left: boolean
}

const idle: Buffer[] = []
let used = 0
/** by the memory that views of a slab share */
const inUse = new WeakMap<ArrayBufferLike, Slab>()

/** Where one socket reads to: Node's `onread` asks for `room`, then says how many bytes came (`add`). */
export class SlabReader {
  #slab: Slab | null = null
  /** of the present slab: bytes below it were handed on */
  #taken = 0

  /** Memory for the next read, of `most` bytes at the most. Empties `take` first where the present slab is full. */
  room(most = SLAB_BYTES): Buffer {
    if (this.#slab && SLAB_BYTES - this.#slab.read < MIN_READ_BYTES) this.end()
    this.#slab ??= take()
    const { bytes, read } = this.#slab
    const end = Math.min(SLAB_BYTES, read + Math.max(1, most))
    return read === 0 && end === SLAB_BYTES ? bytes : bytes.subarray(read, end)
  }

  /** So many bytes were just read into `room`. */
  add(bytes: number): void {
    this.#slab!.read += bytes
  }

  /** Whether the next `room` is in another slab: what is here has to be taken before. */
  get isFull(): boolean {
    return this.#slab !== null && SLAB_BYTES - this.#slab.read < MIN_READ_BYTES
  }

  /** bytes added and not taken yet */
  get pendingBytes(): number {
    return this.#slab ? this.#slab.read - this.#taken : 0
  }

  /** All that was added since the last call: a view, to be given to `release` when it is needed no more. */
  take(): Buffer {
    const { bytes, read } = this.#slab!
    const view = bytes.subarray(this.#taken, read)
    this.#taken = read
    return view
  }

  /** Nothing more is read into the present slab: it is full, or the socket is closed. What was not taken is lost. */
  end(): void {
    const slab = this.#slab
    if (!slab) return
    slab.released += this.pendingBytes
    this.#slab = null
    this.#taken = 0
    slab.left = true
    recycle(slab)
  }
}

/** The bytes of this chunk are needed no more. Any buffer may come; only those of slabs mean something. */
export function release(chunk: Buffer): void {
  const slab = inUse.get(chunk.buffer)
  if (!slab) return
  slab.released += chunk.length
  recycle(slab)
}

/** Joins two chunks that lie side by side in one slab; null where they do not. */
export function join(first: Buffer, second: Buffer): Buffer | null {
  const adjacent = first.buffer === second.buffer && first.byteOffset + first.length === second.byteOffset
  if (!adjacent || !inUse.has(first.buffer)) return null
  return Buffer.from(first.buffer, first.byteOffset, first.length + second.length)
}

function take(): Slab {
  const bytes = idle.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
  const slab = { bytes, read: 0, released: 0, left: false }
  inUse.set(bytes.buffer, slab)
  used++
  return slab
}

function recycle(slab: Slab): void {
  if (!slab.left || slab.released !== slab.read) return
  inUse.delete(slab.bytes.buffer)
  idle.push(slab.bytes)
  used--
  idle.length = Math.min(idle.length, MAX_IDLE, Math.max(FEW_IDLE, IDLE_EACH * used))
}
