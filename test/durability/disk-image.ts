/**
 * What a volume holds, what each operation makes of it, and what a power cut leaves: of everything that was not
 * fsynced, any subset, contents by sectors of 512 bytes and names one by one. Pure, but for the random numbers given.
 */
import { basename, dirname } from 'node:path'

const SECTOR_BYTES = 512

export type Inode = number

export interface File {
  /** longer than the file, perhaps, and zero beyond its end */
  bytes: Buffer
  size: number
}

export interface Image {
  /** path -> name -> file. Folders lie beside each other here: they are no names. */
  folders: Map<string, Map<string, Inode>>
  files: Map<Inode, File>
}

export type ContentOperation = { inode: Inode } & (
  | { kind: 'write'; at: number; bytes: Buffer }
  | { kind: 'truncate'; size: number }
)
export type NameOperation = { folder: string } & (
  | { kind: 'create' | 'link'; name: string; inode: Inode }
  | { kind: 'unlink'; name: string }
  | { kind: 'rename'; name: string; to: string }
  | { kind: 'mkdir'; path: string }
)
/** Covers what was done before the fsync began: `before` is a number of operations. */
export type Sync = { before: number } & ({ kind: 'syncFile'; inode: Inode } | { kind: 'syncFolder'; folder: string })
export type Operation = ContentOperation | NameOperation | Sync

/** How much of what was not fsynced is left, from 0 (nothing) to 1 (all). */
export interface Survival {
  /** of writes of which anything is left */
  writes: number
  /** of those */
  sectors: number
  names: number
  random: () => number
}

export function emptyImage(...folders: string[]): Image {
  return { folders: new Map(folders.map((folder) => [folder, new Map()])), files: new Map() }
}

/** One file in its folder, both on the disk. */
export function volumeWith(path: string, bytes: Buffer): Image {
  const image = emptyImage(dirname(dirname(path)), dirname(path))
  image.files.set(1, { bytes, size: bytes.length })
  image.folders.get(dirname(path))!.set(basename(path), 1)
  return image
}

export function copyImage({ folders, files }: Image): Image {
  return {
    folders: new Map([...folders].map(([path, names]) => [path, new Map(names)])),
    files: new Map([...files].map(([inode, { bytes, size }]) => [inode, { bytes: Buffer.from(bytes), size }])),
  }
}

/** The path of every file, with its bytes. */
export function filesIn({ folders, files }: Image): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  for (const [folder, names] of folders)
    for (const [name, inode] of names) {
      const { bytes, size } = files.get(inode)!
      found.set(`${folder}/${name}`, bytes.subarray(0, size))
    }
  return found
}

export function isSync(operation: Operation): operation is Sync {
  return operation.kind === 'syncFile' || operation.kind === 'syncFolder'
}

function isContent(operation: Operation): operation is ContentOperation {
  return operation.kind === 'write' || operation.kind === 'truncate'
}

/** Changes the image as the operation does; an fsync changes nothing. */
export function apply(image: Image, operation: Operation): void {
  if (isSync(operation)) return
  if (!isContent(operation)) {
    applyName(image, operation)
    return
  }
  const file = fileOf(image, operation.inode)
  if (operation.kind === 'write') put(file, operation.at, operation.bytes)
  else if (operation.size < file.size) file.bytes.fill(0, operation.size)
  file.size = sizeAfter(file.size, operation)
}

/** What is left of the operations on top of `base` when the power goes. */
export function survivors(base: Image, operations: readonly Operation[], survival: Survival): Image {
  const image = copyImage(base)
  const synced = new Map<Inode | string, number>()
  for (const operation of operations)
    if (isSync(operation)) synced.set('inode' in operation ? operation.inode : operation.folder, operation.before)
  const isDurable = (operation: ContentOperation | NameOperation, index: number) =>
    index < (synced.get(isContent(operation) ? operation.inode : operation.folder) ?? 0)
  const volatile = new Map<Inode, ContentOperation[]>()
  operations.forEach((operation, index) => {
    if (isSync(operation)) return
    if (isDurable(operation, index)) apply(image, operation)
    else if (isContent(operation)) volatile.set(operation.inode, [...(volatile.get(operation.inode) ?? []), operation])
    else if (survival.random() < survival.names) applyName(image, operation)
  })
  for (const [inode, ofFile] of volatile) tearFile(fileOf(image, inode), ofFile, survival)
  for (const path of [...image.folders.keys()]) if (!hasParents(image, base, path)) image.folders.delete(path)
  return image
}

/** Its size is one of those it had since its fsync; of what was written, any sectors are there. */
function tearFile(file: File, operations: readonly ContentOperation[], { writes, sectors, random }: Survival): void {
  const sizes = [file.size]
  for (const operation of operations) sizes.push(sizeAfter(sizes.at(-1)!, operation))
  const kept = sectors === 0 ? 0 : writes * sectors === 1 ? operations.length : Math.floor(random() * sizes.length)
  operations.forEach((operation, index) => {
    if (operation.kind === 'truncate') {
      if (index < kept) file.bytes.fill(0, Math.min(operation.size, file.bytes.length))
      return
    }
    const { at, bytes } = operation
    if (random() >= writes) return
    for (let from = at; from < at + bytes.length; ) {
      const end = Math.min(at + bytes.length, (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES)
      if (random() < sectors) put(file, from, bytes.subarray(from - at, end - at))
      from = end
    }
  })
  file.size = sizes[kept]!
  if (file.bytes.length < file.size) grow(file, file.size)
  file.bytes.fill(0, file.size)
}

function sizeAfter(size: number, operation: ContentOperation): number {
  return operation.kind === 'truncate' ? operation.size : Math.max(size, operation.at + operation.bytes.length)
}

function applyName(image: Image, operation: NameOperation): void {
  if (operation.kind === 'mkdir') {
    if (!image.folders.has(operation.path)) image.folders.set(operation.path, new Map())
    return
  }
  const names = image.folders.get(operation.folder)
  // Its folder did not survive.
  if (!names) return
  switch (operation.kind) {
    case 'create':
    case 'link':
      fileOf(image, operation.inode)
      names.set(operation.name, operation.inode)
      return
    case 'unlink':
      names.delete(operation.name)
      return
    case 'rename': {
      const inode = names.get(operation.name)
      if (inode === undefined) return
      names.delete(operation.name)
      names.set(operation.to, inode)
    }
  }
}

function hasParents(image: Image, base: Image, path: string): boolean {
  return base.folders.has(path) || (image.folders.has(dirname(path)) && hasParents(image, base, dirname(path)))
}

function fileOf(image: Image, inode: Inode): File {
  let file = image.files.get(inode)
  if (!file) {
    file = { bytes: Buffer.alloc(0), size: 0 }
    image.files.set(inode, file)
  }
  return file
}

function put(file: File, at: number, bytes: Buffer): void {
  if (file.bytes.length < at + bytes.length) grow(file, at + bytes.length)
  bytes.copy(file.bytes, at)
}

function grow(file: File, size: number): void {
  const bytes = Buffer.alloc(Math.max(size, file.bytes.length * 2))
  file.bytes.copy(bytes)
  file.bytes = bytes
}
