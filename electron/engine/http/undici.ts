/// <reference path="./undici-files.d.ts" />
/**
 * The parts of undici that connections are made of, each from its own file: the package's index loads fetch, caches,
 * mocks and web sockets as well, which would double the memory and the start of a lane.
 */

import connect from 'undici/lib/api/api-connect.js'
import buildConnector from 'undici/lib/core/connect.js'
import symbols from 'undici/lib/core/symbols.js'
import Client from 'undici/lib/dispatcher/client.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
import Pool from 'undici/lib/dispatcher/pool.js'
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js'
import Socks5ProxyAgent from 'undici/lib/dispatcher/socks5-proxy-agent.js'

// The index gives dispatchers their API; of it the agents for proxies use this.
Object.assign(Dispatcher.prototype, { connect })

/** where a socket holds the parser of what it reads */
export const { kParser } = symbols

export { buildConnector, Client, Pool, ProxyAgent, Socks5ProxyAgent }
