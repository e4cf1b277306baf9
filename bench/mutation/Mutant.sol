// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev Whether mutant `id` is the one under test: the block's coinbase says which. Declared pure, so that it can stand anywhere.
function isMutant(uint256 id) pure returns (bool) {
    function(uint256) view returns (bool) reads = _isCoinbase;
    function(uint256) pure returns (bool) claims;
    assembly ("memory-safe") {
        claims := reads
    }
    return claims(id);
}

function _isCoinbase(uint256 id) view returns (bool) {
    return uint160(address(block.coinbase)) == id;
}
