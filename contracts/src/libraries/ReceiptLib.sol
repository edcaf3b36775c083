// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Receipt} from "../types/Receipt.sol";

/// @notice EIP-712 struct hash of a receipt.
library ReceiptLib {
    bytes32 internal constant TYPEHASH = keccak256(
        "Receipt(uint256 node,bytes32 manifest,bytes32 query,bytes32 results,address client,uint64 issuedAt,bytes32 nonce)"
    );

    function hash(Receipt calldata receipt) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TYPEHASH,
                receipt.node,
                receipt.manifest,
                receipt.query,
                receipt.results,
                receipt.client,
                receipt.issuedAt,
                receipt.nonce
            )
        );
    }
}
