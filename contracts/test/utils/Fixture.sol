// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IdentityRegistry} from "../../src/IdentityRegistry.sol";
import {ManifestRegistry} from "../../src/ManifestRegistry.sol";
import {Reliability} from "../../src/Reliability.sol";
import {Item, Receipt} from "../../src/types/Receipt.sol";
import {Vm} from "./Vm.sol";

/// @dev The three contracts, a node and a client with keys.
contract Fixture {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant OWNER_KEY = 0xA11CE;
    uint256 internal constant CLIENT_KEY = 0xC11E17;
    uint256 internal constant STRANGER_KEY = 0x57A26E2;
    uint64 internal constant START = 1_800_000_000;

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

    function sign(Receipt memory receipt, uint256 key, int8 value) internal view returns (Item memory) {
        return Item({receipt: receipt, signature: signature(key, reliability.digestOf(receipt)), value: value});
    }

    function batchOf(Item memory item) internal pure returns (Item[] memory items) {
        items = new Item[](1);
        items[0] = item;
    }

    function batch(uint256 size, uint256 firstNonce) internal view returns (Item[] memory items) {
        items = new Item[](size);
        for (uint256 i = 0; i < size; ++i) {
            items[i] = sign(receiptOf(firstNonce + i), OWNER_KEY, 100);
        }
    }

    function walletConsent(uint256 key, address owner_, uint256 deadline) internal view returns (bytes memory) {
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
                node,
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
