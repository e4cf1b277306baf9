/** Has ethers open keystores with Node's own scrypt, which is several times faster than the one in JavaScript that it brings. */
import { scryptSync as nativeScrypt } from "node:crypto";

import { hexlify, scryptSync } from "ethers";

scryptSync.register((password, salt, N, r, p, length) =>
  hexlify(nativeScrypt(password, salt, length, { N, r, p, maxmem: 256 * N * r })),
);
