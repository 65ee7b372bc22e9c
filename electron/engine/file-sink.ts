/**
 * The partial file on disk (NAME.part): preallocation, large positional writes from several connections at once,
 * CRC-32 per block while the bytes are hot, and fdatasync off the data path. What counts as written is only what the
 * kernel took. Which bytes are wanted, and by whom, is decided elsewhere.
 */
import { crc32 } from '@node-rs/crc32'
import { BLOCK_BYTES, type BlockChecksum } from '../../shared/records.ts'
import { onDisk, toDiskError } from './disk-errors.ts'
import { join, release, slabsAreMany } from './http/slabs.ts'
import type { FileSystem, OpenFile } from './ports.ts'

/** Size of one write; a quarter of it at 64 KiB costs a third more time. */
const WRITE_BYTES = 1024 * 1024
/** Where many connections hold memory: eight with whole writes take 13 MB more, and no less time. */
const SHORT_WRITE_BYTES = WRITE_BYTES / 4
/** Bytes a connection may hold back before it has to pause: one write under way, one being collected. */
const BUFFER_BYTES = 2 * WRITE_BYTES

export class PartFile {
  readonly path: string
  readonly #fs: Pick<FileSystem, 'open'> | null
  /** null: whoever needs it first opens it */
  #file: OpenFile | null
  #opening: Promise<OpenFile> | null = null
  #descriptor: number | null = null
  #isNew = false
  #blocks: BlockChecksum[] = []

  private constructor(path: string, fs: Pick<FileSystem, 'open'> | null, file: OpenFile | null) {
    this.path = path
    this.#fs = fs
    this.#file = file
    this.#descriptor = file?.descriptor ?? null
  }

  /** `create` fails with EEXIST (raw, so that callers can look for another name); other errors are typed. */
  static async open(fs: FileSystem, path: string, mode: 'create' | 'open' | 'read'): Promise<PartFile> {
    try {
      return new PartFile(path, fs, await fs.open(path, mode))
    } catch (error) {
      if (mode === 'create' && (error as NodeJS.ErrnoException).code === 'EEXIST') throw error
      throw toDiskError(error, path)
    }
  }

  /** Opened by whoever needs it first; `isNew`: created, EEXIST is typed there. Small files are written in one go so. */
  static toOpen(fs: Pick<FileSystem, 'open'>, path: string, isNew: boolean): PartFile {
    const part = new PartFile(path, fs, null)
    part.#isNew = isNew
    return part
  }

  /** A file that somebody else opened and closes. */
  static over(path: string, file: OpenFile): PartFile {
    return new PartFile(path, null, file)
  }

  /** for a worker that writes; null: not open here, or only this object may write */
  get descriptor(): number | null {
    return this.#descriptor
  }

  /** Answers whether the file is still to be created; the caller does it then. */
  takeCreation(): boolean {
    const isNew = this.#isNew
    this.#isNew = false
    return isNew
  }

  size(): Promise<number> {
    return this.#on((file) => file.size())
  }

  /** Sets the length: sparse where the file system can. */
  resize(bytes: number): Promise<void> {
    return this.#on((file) => file.truncate(bytes))
  }

  datasync(): Promise<void> {
    return this.#on((file) => file.datasync())
  }

  async close(): Promise<void> {
    if (this.#file ?? this.#opening) await this.#on((file) => file.close())
  }

  /** Reads exactly `bytes` bytes, or fewer at the end of the file. */
  async read(position: number, bytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(bytes)
    let done = 0
    while (done < bytes) {
      const got = await this.#on((file) => file.read(buffer.subarray(done), position + done))
      if (got === 0) break
      done += got
    }
    return buffer.subarray(0, done)
  }

  #on<T>(operation: (file: OpenFile) => Promise<T>): Promise<T> {
    return onDisk(this.path, () => (this.#file ? operation(this.#file) : this.#open().then(operation)))
  }

  #open(): Promise<OpenFile> {
    this.#opening ??= this.#fs!.open(this.path, this.takeCreation() ? 'create' : 'open').then(
      (file) => {
        this.#file = file
        return file
      },
      (error) => {
        // There may be nothing yet.
        this.#opening = null
        throw error
      },
    )
    return this.#opening
  }

  /** CRC-32 of a block as it is on disk now. */
  async blockChecksum(index: number, bytes: number): Promise<number> {
    return crc32(await this.read(index * BLOCK_BYTES, bytes))
  }

  /** Checksums of blocks finished since the last call. */
  takeBlocks(): BlockChecksum[] {
    const blocks = this.#blocks
    this.#blocks = []
    return blocks
  }

  /** A block's checksum becomes known to the store only after its bytes were written. */
  keepBlock(block: BlockChecksum): void {
    this.#blocks.push(block)
  }

  /** Loops over short writes (POSIX allows them, network file systems make them). */
  async writeAll(chunks: Buffer[], position: number): Promise<void> {
    let buffers = chunks
    let at = position
    while (buffers.length > 0) {
      const start = at
      const taken = await this.#on((file) => file.write(buffers, start))
      at += taken
      buffers = skip(buffers, taken)
    }
  }
}

function skip(buffers: Buffer[], bytes: number): Buffer[] {
  let left = bytes
  let index = 0
  while (index < buffers.length && left >= buffers[index]!.length) left -= buffers[index++]!.length
  const rest = buffers.slice(index)
  if (left > 0) rest[0] = rest[0]!.subarray(left)
  return rest
}

export interface WriterEvents {
  /** bytes up to `position` are in the kernel's hands */
  written(position: number): void
  /** there is room again after `push` returned false */
  drained(): void
  failed(error: Error): void
}

/**
 * Writes one run of bytes in order. `push` never copies; chunks are joined into writes of about 1 MiB, and each block
 * that is finished on the way gets its checksum.
 */
export class SegmentWriter {
  readonly #part: PartFile
  readonly #events: WriterEvents
  #position: number
  /** bytes below it are in the kernel's hands */
  #written: number
  #pending: Buffer[] = []
  #pendingBytes = 0
  #inFlight = 0
  #full = false
  #failure: Error | null = null
  /** CRC of the current block up to the last byte pushed; null: its beginning is not known */
  #crc: number | null
  #finishedBlocks: (BlockChecksum & { end: number })[] = []
  #idle: (() => void)[] = []

  /** `crc`: of the bytes of the current block before `position`; 0 at a block's start. */
  constructor(part: PartFile, position: number, crc: number | null, events: WriterEvents) {
    this.#part = part
    this.#position = position
    this.#written = position
    this.#crc = crc
    this.#events = events
  }

  /** A writer that continues at `position`, with the CRC of the block's beginning read back from the file. */
  static async at(
    part: PartFile,
    position: number,
    held: (from: number) => boolean,
    events: WriterEvents,
  ): Promise<SegmentWriter> {
    const blockStart = position - (position % BLOCK_BYTES)
    let crc: number | null = 0
    if (position > blockStart) crc = held(blockStart) ? crc32(await part.read(blockStart, position - blockStart)) : null
    return new SegmentWriter(part, position, crc, events)
  }

  /** Position of the next byte. */
  get position(): number {
    return this.#position
  }

  /** Takes over the chunk. False: pause until `drained`. */
  push(chunk: Buffer): boolean {
    let rest = chunk
    while (rest.length > 0) {
      const inBlock = this.#position % BLOCK_BYTES
      const room = BLOCK_BYTES - inBlock
      const piece = rest.length > room ? rest.subarray(0, room) : rest
      if (inBlock === 0) this.#crc = crc32(piece)
      else if (this.#crc !== null) this.#crc = crc32(piece, this.#crc)
      this.#position += piece.length
      this.#collect(piece)
      this.#pendingBytes += piece.length
      if (piece.length === room) this.#endBlock(BLOCK_BYTES)
      rest = rest.subarray(piece.length)
    }
    if (this.#hasEnough) this.flush()
    this.#full = this.#pendingBytes + this.#inFlight >= BUFFER_BYTES
    return !this.#full
  }

  /** for a write */
  get #hasEnough(): boolean {
    return this.#pendingBytes >= (slabsAreMany() ? SHORT_WRITE_BYTES : WRITE_BYTES)
  }

  /** Neighbours in memory become one: one large write is cheaper than many joined by the kernel. */
  #collect(piece: Buffer): void {
    const last = this.#pending.at(-1)
    const joined = last && join(last, piece)
    if (joined) this.#pending[this.#pending.length - 1] = joined
    else this.#pending.push(piece)
  }

  /** The file ends here: its last, shorter block is whole. */
  endOfFile(): void {
    const bytes = this.#position % BLOCK_BYTES
    if (bytes > 0) this.#endBlock(bytes)
  }

  /** Writes what is left. Settles when nothing is under way; rejects where a write failed, now or before. */
  async finish(): Promise<void> {
    this.flush()
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    if (this.#failure) throw this.#failure
  }

  #endBlock(bytes: number): void {
    if (this.#crc === null) return
    const end = this.#position
    const block = { index: Math.floor((end - 1) / BLOCK_BYTES), crc32: this.#crc, bytes }
    if (end <= this.#written) this.#part.keepBlock(block)
    else this.#finishedBlocks.push({ ...block, end })
  }

  /** Begins to write what was collected, unless a write is under way. */
  flush(): void {
    if (this.#inFlight > 0 || this.#pendingBytes === 0 || this.#failure) return
    const chunks = this.#pending
    const bytes = this.#pendingBytes
    const start = this.#position - bytes
    this.#pending = []
    this.#pendingBytes = 0
    this.#inFlight = bytes
    this.#part
      .writeAll(chunks, start)
      .then(() => {
        for (const chunk of chunks) release(chunk)
        this.#onWritten(start + bytes)
      })
      .catch((error: Error) => this.#onFailed(error))
  }

  #onWritten(position: number): void {
    this.#inFlight = 0
    this.#written = position
    while (this.#finishedBlocks[0] && this.#finishedBlocks[0].end <= position) {
      const { end: _, ...block } = this.#finishedBlocks.shift()!
      this.#part.keepBlock(block)
    }
    this.#events.written(position)
    if (this.#hasEnough || (this.#idle.length > 0 && this.#pendingBytes > 0)) this.flush()
    if (this.#inFlight === 0) this.#settle()
    if (this.#full && this.#pendingBytes + this.#inFlight < BUFFER_BYTES) {
      this.#full = false
      this.#events.drained()
    }
  }

  #onFailed(error: Error): void {
    this.#failure = error
    this.#inFlight = 0
    this.#pending = []
    this.#events.failed(error)
    this.#settle()
  }

  #settle(): void {
    const waiting = this.#idle
    this.#idle = []
    for (const resolve of waiting) resolve()
  }
}
