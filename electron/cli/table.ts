/** Rows in columns for people. */
import { print, printable } from './terminal.ts'

/** The last column takes what room it needs. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, index) => Math.max(...rows.map((row) => row[index]!.length)))
  for (const row of rows)
    print(
      row
        .map((cell, index) => printable(cell).padEnd(widths[index]!))
        .join('  ')
        .trimEnd(),
    )
}
