// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Scores contract of Reliable-dRAG (arXiv 2511.07577), reimplemented from its ABI and described behaviour: one
/// record a source under its name, created by any account; absolute scores, in batches with one signature a source.
/// @dev For comparison only. As in the original, a signature covers the name alone and can be replayed with other scores.
contract PaperScores {
    struct Record {
        address signer;
        int256 usefulness;
        int256 reliability;
        uint256 updatedAt;
    }

    event RecordCreated(string name, address signer);
    event RecordUpdated(string name, int256 usefulness, int256 reliability);

    error RecordExists(string name);
    error UnknownRecord(string name);
    error WrongSignature(string name);

    mapping(string name => Record) public records;

    function createRecord(string calldata name, address signer, int256 usefulness, int256 reliability) external {
        if (records[name].signer != address(0)) revert RecordExists(name);
        records[name] = Record(signer, usefulness, reliability, block.timestamp);
        emit RecordCreated(name, signer);
    }

    function updateRecords(
        string[] calldata names,
        int256[] calldata usefulness,
        int256[] calldata reliability,
        bytes[] calldata signatures
    ) external {
        for (uint256 i = 0; i < names.length; ++i) {
            Record storage record = records[names[i]];
            address signer = record.signer;
            if (signer == address(0)) revert UnknownRecord(names[i]);
            if (recover(keccak256(bytes(names[i])), signatures[i]) != signer) revert WrongSignature(names[i]);
            record.usefulness = usefulness[i];
            record.reliability = reliability[i];
            record.updatedAt = block.timestamp;
            emit RecordUpdated(names[i], usefulness[i], reliability[i]);
        }
    }

    function recover(bytes32 message, bytes calldata signature) private pure returns (address) {
        bytes32 digest = keccak256(abi.encodePacked("\x19Ethereum Signed Message:\n32", message));
        return ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64]));
    }
}
