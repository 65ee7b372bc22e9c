import { expect, test } from 'vitest'
import { categoryFolder } from '../../electron/engine/categories.ts'
import { CategoryRule } from '../../shared/queues.ts'

const rules = [
  { name: 'CDN', hosts: ['cdn.example'], folder: '/data' },
  { name: 'Images', extensions: ['iso', 'img'], folder: 'images' },
  { name: 'Rest of a host', extensions: ['zip'], hosts: ['files.example'], folder: 'zips' },
].map((rule) => CategoryRule.parse(rule))

test.each([
  ['https://a.cdn.example/x.iso', null, '/data'],
  ['https://notcdn.example/x.ISO?y=z.zip', null, '/base/images'],
  ['https://other.example/download?id=1', 'disk.img', '/base/images'],
  ['https://files.example/a.zip', null, '/base/zips'],
  ['https://other.example/a.zip', null, null],
  ['https://other.example/.iso', null, null],
  ['https://other.example/iso', null, null],
])('%s as %s goes to %s', (url, filename, folder) =>
  expect(categoryFolder(rules, { url, filename }, '/base')).toBe(folder),
)
