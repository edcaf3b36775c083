// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IWitness} from "../src/interfaces/IWitness.sol";
import {Tenure} from "../src/types/Rater.sol";
import {Fixture} from "./utils/Fixture.sol";

contract WitnessTest is Fixture {
    function setUp() public override {
        super.setUp();
        witnessNode();
    }

    function test_witness_notesWalletsAndOwners() public {
        vm.warp(START + 1);
        rotateWallet(STRANGER_KEY);
        vm.expectEmit();
        emit IWitness.Witnessed(node, stranger, owner);
        witnessNode();
        Tenure memory old = reliability.tenure(node, owner);
        assert(old.walletSince == START && old.walletUntil == START + 1);
        assert(old.ownerSince == START && old.ownerUntil == type(uint64).max);
        assert(reliability.tenure(node, stranger).walletUntil == type(uint64).max);
        vm.prank(owner);
        identity.transferFrom(owner, client, node);
        vm.warp(START + 2);
        witnessNode();
        assert(reliability.tenure(node, owner).ownerUntil == START + 2);
        assert(reliability.tenure(node, stranger).walletUntil == START + 2);
        assert(reliability.tenure(node, client).ownerSince == START + 2);
    }

    function test_witness_revertsWhenNodeDoesNotExist() public {
        uint256[] memory nodes = new uint256[](1);
        nodes[0] = 99;
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 99));
        reliability.witness(nodes);
    }

    function test_witness_revertsWhenTooMany() public {
        vm.expectRevert(abi.encodeWithSelector(IWitness.TooManyNodes.selector, 257, 256));
        reliability.witness(new uint256[](257));
    }
}
