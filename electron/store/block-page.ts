/** How the CRCs of up to 1,024 blocks are packed into one row, and unpacked. Pure. */
import { BLOCK_BYTES, BLOCKS_PER_PAGE, type BlockChecksum } from '../../shared/records.ts'

export interface BlockPage {
  /** CRC-32 of each block up to the last present one, 4 bytes each, little endian */
  crcs: Uint8Array
  /** one bit for each block, lowest bit first */
  present: Uint8Array
  /** JSON [[block within the page, bytes]] of blocks that are not whole; null: none */
  short_blocks: string | null
}

export function pageOf(blockIndex: number): number {
  return Math.floor(blockIndex / BLOCKS_PER_PAGE)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The blocks of one page in order of index. Throws SyntaxError where `short_blocks` is not what was written. */
export function unpackPage(page: number, packed: BlockPage): BlockChecksum[] {
  const crcs = viewOf(packed.crcs)
  const shortBlocks = new Map<number, number>(packed.short_blocks === null ? [] : JSON.parse(packed.short_blocks))
  const blocks: BlockChecksum[] = []
  const count = Math.min(crcs.byteLength >> 2, packed.present.length * 8, BLOCKS_PER_PAGE)
  for (let slot = 0; slot < count; slot++) {
    if (((packed.present[slot >> 3] ?? 0) & (1 << (slot & 7))) === 0) continue
    blocks.push({
      index: page * BLOCKS_PER_PAGE + slot,
      crc32: crcs.getUint32(slot * 4, true),
      bytes: shortBlocks.get(slot) ?? BLOCK_BYTES,
    })
  }
  return blocks
}

/** The page with `blocks` (all of this page) put in, replacing those of the same index. `before` is not changed. */
export function packPage(before: BlockPage | null, blocks: readonly BlockChecksum[]): BlockPage {
  const slots = blocks.map((block) => block.index % BLOCKS_PER_PAGE)
  const count = Math.max((before?.crcs.length ?? 0) >> 2, Math.max(...slots) + 1)
  const crcs = new Uint8Array(count * 4)
  const present = new Uint8Array(Math.ceil(count / 8))
  if (before !== null) {
    crcs.set(before.crcs)
    present.set(before.present)
  }
  const shortBlocks = new Map<number, number>(JSON.parse(before?.short_blocks ?? '[]'))
  const view = viewOf(crcs)
  for (const [position, block] of blocks.entries()) {
    const slot = slots[position] ?? 0
    view.setUint32(slot * 4, block.crc32 >>> 0, true)
    present[slot >> 3] = (present[slot >> 3] ?? 0) | (1 << (slot & 7))
    if (block.bytes === BLOCK_BYTES) shortBlocks.delete(slot)
    else shortBlocks.set(slot, block.bytes)
  }
  return { crcs, present, short_blocks: shortBlocks.size === 0 ? null : JSON.stringify([...shortBlocks]) }
}
