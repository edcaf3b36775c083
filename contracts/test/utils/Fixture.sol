// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IdentityRegistry} from "../../src/IdentityRegistry.sol";
import {ManifestRegistry} from "../../src/ManifestRegistry.sol";
import {Reliability} from "../../src/Reliability.sol";
import {Batch, Proof, Rating} from "../../src/types/Batch.sol";
import {Receipt} from "../../src/types/Receipt.sol";
import {Tree} from "./Tree.sol";
import {Vm} from "./Vm.sol";

/// @dev The contracts, a node and a client with keys.
contract Fixture {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant OWNER_KEY = 0xA11CE;
    uint256 internal constant CLIENT_KEY = 0xC11E17;
    uint256 internal constant STRANGER_KEY = 0x57A26E2;
    uint64 internal constant START = 1_800_000_000;
    bytes32 internal constant CONTENT = keccak256("content");

    address internal immutable owner = vm.addr(OWNER_KEY);
    address internal immutable client = vm.addr(CLIENT_KEY);
    address internal immutable stranger = vm.addr(STRANGER_KEY);

    IdentityRegistry internal identity;
    ManifestRegistry internal manifests;
    Reliability internal reliability;
    uint256 internal node;

    function setUp() public virtual {
        vm.warp(START);
        identity = new IdentityRegistry();
        manifests = new ManifestRegistry(identity);
        reliability = new Reliability(identity);
        vm.prank(owner);
        node = identity.register("http://127.0.0.1:8080/.well-known/agent-registration.json");
    }

    function signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function receiptOf(uint256 nonce) internal view returns (Receipt memory) {
        return Receipt({
            node: node,
            manifest: keccak256("manifest"),
            query: keccak256("query"),
            results: keccak256("results"),
            client: client,
            issuedAt: START,
            nonce: bytes32(nonce)
        });
    }

    function rate(Receipt memory receipt, uint256 key, int8 value) internal view returns (Rating memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, reliability.digestOf(receipt));
        return Rating({receipt: receipt, r: r, s: s, v: v, value: value, positive: 0, negative: 0});
    }

    function honest(uint256 nonce, int8 value) internal view returns (Rating memory) {
        return rate(receiptOf(nonce), OWNER_KEY, value);
    }

    /// @dev Return `count` honest ratings of `node`, with their running sums.
    function ratings(uint256 count, uint256 firstNonce) internal view returns (Rating[] memory list) {
        list = new Rating[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = honest(firstNonce + i, i % 3 == 2 ? int8(-40) : int8(100));
        }
        sumUp(list);
    }

    function one(Rating memory rating) internal pure returns (Rating[] memory list) {
        list = new Rating[](1);
        list[0] = rating;
        sumUp(list);
    }

    function two(Rating memory first, Rating memory second) internal pure returns (Rating[] memory list) {
        list = new Rating[](2);
        (list[0], list[1]) = (first, second);
        sumUp(list);
    }

    function sumUp(Rating[] memory list) internal pure {
        for (uint256 i = 0; i < list.length; ++i) {
            bool isFirst = i == 0 || list[i - 1].receipt.node != list[i].receipt.node;
            int256 value = list[i].value;
            list[i].positive = (isFirst ? 0 : list[i - 1].positive) + (value > 0 ? uint48(uint256(value)) : 0);
            list[i].negative = (isFirst ? 0 : list[i - 1].negative) + (value < 0 ? uint48(uint256(-value)) : 0);
        }
    }

    function deltaOf(uint256 node_, uint256 positive, uint256 negative, uint256 count) internal pure returns (uint256) {
        return node_ << 128 | positive << 80 | negative << 32 | count;
    }

    /// @dev Return the deltas of the leaves: one for each run of one node.
    function deltasOf(Rating[] memory list) internal pure returns (uint256[] memory deltas) {
        deltas = new uint256[](list.length);
        uint256 found = 0;
        uint256 count = 0;
        for (uint256 i = 0; i < list.length; ++i) {
            ++count;
            if (i + 1 < list.length && list[i + 1].receipt.node == list[i].receipt.node) continue;
            deltas[found++] = deltaOf(list[i].receipt.node, list[i].positive, list[i].negative, count);
            count = 0;
        }
        assembly ("memory-safe") {
            mstore(deltas, found)
        }
    }

    function leavesOf(Rating[] memory list) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](list.length);
        for (uint256 i = 0; i < list.length; ++i) {
            leaves[i] = Tree.leafOf(list[i]);
        }
    }

    function rootOf(Rating[] memory list) internal pure returns (bytes32) {
        return Tree.rootOf(leavesOf(list), 0, list.length);
    }

    function proofOf(Rating[] memory list, uint256 index) internal pure returns (Proof memory) {
        return Proof({index: index, rating: list[index], path: Tree.pathOf(leavesOf(list), 0, list.length, index)});
    }

    function bond(address rater, uint256 amount) internal {
        vm.deal(rater, rater.balance + amount);
        vm.prank(rater);
        reliability.bond{value: amount}();
    }

    function checkpointNode() internal {
        uint256[] memory nodes = new uint256[](1);
        nodes[0] = node;
        reliability.checkpoint(nodes);
    }

    function submitAs(address rater, Rating[] memory list, uint256[] memory deltas) internal returns (Batch memory) {
        bytes32 root = rootOf(list);
        vm.prank(rater);
        uint32 number = reliability.submit(root, CONTENT, deltas, block.timestamp);
        return Batch(rater, number, uint64(block.timestamp), root, CONTENT, deltas);
    }

    function submit(Rating[] memory list) internal returns (Batch memory) {
        return submitAs(client, list, deltasOf(list));
    }

    function walletConsent(uint256 key, address owner_, uint256 deadline) internal view returns (bytes memory) {
        return walletConsent(node, key, owner_, deadline);
    }

    function walletConsent(uint256 node_, uint256 key, address owner_, uint256 deadline)
        internal
        view
        returns (bytes memory)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("ERC8004IdentityRegistry"),
                keccak256("1"),
                block.chainid,
                address(identity)
            )
        );
        bytes32 consent = keccak256(
            abi.encode(
                keccak256("AgentWalletSet(uint256 agentId,address newWallet,address owner,uint256 deadline)"),
                node_,
                vm.addr(key),
                owner_,
                deadline
            )
        );
        return signature(key, keccak256(abi.encodePacked("\x19\x01", domain, consent)));
    }

    function rotateWallet(uint256 key) internal {
        uint256 deadline = block.timestamp + 60;
        vm.prank(owner);
        identity.setAgentWallet(node, vm.addr(key), deadline, walletConsent(key, owner, deadline));
    }
}
