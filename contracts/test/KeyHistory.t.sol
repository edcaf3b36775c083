// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IKeyHistory} from "../src/interfaces/IKeyHistory.sol";
import {KeyPeriods} from "../src/types/Rater.sol";
import {Fixture} from "./utils/Fixture.sol";

contract KeyHistoryTest is Fixture {
    function setUp() public override {
        super.setUp();
        checkpointNode();
    }

    function test_checkpoint_recordsWalletsAndOwners() public {
        vm.warp(START + 1);
        rotateWallet(STRANGER_KEY);
        vm.expectEmit();
        emit IKeyHistory.Checkpointed(node, stranger, owner);
        checkpointNode();
        KeyPeriods memory old = reliability.keyHistory(node, owner);
        assert(old.walletSince == START && old.walletUntil == START + 1);
        assert(old.ownerSince == START && old.ownerUntil == type(uint64).max);
        assert(reliability.keyHistory(node, stranger).walletUntil == type(uint64).max);
        vm.prank(owner);
        identity.transferFrom(owner, client, node);
        vm.warp(START + 2);
        checkpointNode();
        assert(reliability.keyHistory(node, owner).ownerUntil == START + 2);
        assert(reliability.keyHistory(node, stranger).walletUntil == START + 2);
        assert(reliability.keyHistory(node, client).ownerSince == START + 2);
    }

    function test_checkpoint_revertsWhenNodeDoesNotExist() public {
        uint256[] memory nodes = new uint256[](1);
        nodes[0] = 99;
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 99));
        reliability.checkpoint(nodes);
    }

    function test_checkpoint_revertsWhenTooMany() public {
        vm.expectRevert(abi.encodeWithSelector(IKeyHistory.TooManyNodes.selector, 257, 256));
        reliability.checkpoint(new uint256[](257));
    }
}
