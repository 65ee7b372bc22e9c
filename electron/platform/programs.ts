/** Tells programs from documents, so that opening a download that runs code asks first. */
import { open, stat } from 'node:fs/promises'
import { extname } from 'node:path'

/** Names that some desktop runs, installs or mounts on a double click. */
const PROGRAM_EXTENSIONS = new Set(
  (
    '.action .app .appimage .appref-ms .bash .bat .bin .cmd .com .command .cpl .csh .deb .desktop .dll .dmg .exe .flatpak ' +
    '.flatpakref .gadget .hta .inf .ins .iso .img .jar .jnlp .js .jse .ksh .lnk .msc .msi .msix .msp .mst .osx .out .pif ' +
    '.pkg .ps1 .psm1 .py .pyw .rb .reg .rpm .run .scf .scr .scpt .sh .snap .terminal .tool .url .vb .vbe .vbs .vhd .vhdx ' +
    '.webloc .workflow .ws .wsc .wsf .wsh .xbap .zsh'
  ).split(' '),
)
const MAGIC_NUMBERS = ['7f454c46', '4d5a', '2321', 'cafebabe', 'cffaedfe', 'cefaedfe', 'feedface', 'feedfacf']

/** Whether opening the file may run code: by its name, its mode or its first bytes. Rejects where it cannot be read. */
export async function isProgram(path: string): Promise<boolean> {
  if (PROGRAM_EXTENSIONS.has(extname(path).toLowerCase())) return true
  const { mode } = await stat(path)
  if (process.platform !== 'win32' && (mode & 0o111) !== 0) return true
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
    const start = buffer.subarray(0, bytesRead).toString('hex')
    return MAGIC_NUMBERS.some((magic) => start.startsWith(magic))
  } finally {
    await file.close()
  }
}
