/** cURL commands among the lines of the Add dialog. */
import { describe, expect, it } from 'vitest'
import { hasCurl, splitCurl } from '../../renderer/features/add/curl.ts'

describe('cURL commands among links', () => {
  it('are taken out whole, and the other lines keep their numbers', () => {
    const text = [
      'https://a.example/1',
      "curl 'https://b.example/x' \\",
      "  --data-raw $'it\\'s",
      "two lines'",
      'https://a.example/2',
      'curl ^"https://c.example/^" ^',
      '  -H ^"a: b^"',
      'curl https://d.example/',
    ].join('\r\n')
    expect(splitCurl(text)).toEqual({
      commands: [
        "curl 'https://b.example/x' \\\n  --data-raw $'it\\'s\ntwo lines'",
        'curl ^"https://c.example/^" ^\n  -H ^"a: b^"',
        'curl https://d.example/',
      ],
      rest: 'https://a.example/1\n\n\n\nhttps://a.example/2\n\n\n',
    })
  })

  it('a backslash in plain single quotes escapes nothing, and an open end is the end', () => {
    expect(splitCurl("curl -d 'a\\' https://a.example/\nhttps://b.example/").rest).toBe('\nhttps://b.example/')
    expect(splitCurl("curl 'https://a.example/\nmore")).toEqual({
      commands: ["curl 'https://a.example/\nmore"],
      rest: '\n',
    })
  })

  it('are no links that speak of curl', () => {
    expect(hasCurl('https://curl.se/download/curl-8.zip')).toBe(false)
    expect(hasCurl('see\n$ curl https://a.example/')).toBe(true)
  })
})
