// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Batch, Proof, Rating} from "../src/types/Batch.sol";
import {KeyPeriods} from "../src/types/Rater.sol";
import {Fixture} from "./utils/Fixture.sol";

/// @dev One honest rater, which sends batches by the rules of `knet.rating.prevalidate` and then does nothing more, in a
/// network where the nodes that it rates, their owners and every auditor are hostile and act in any order.
contract HostileNetwork is Fixture {
    uint256 internal constant BOND = 1 ether;
    uint256 internal constant FEE = 0.001 ether;
    uint256 internal constant HOSTILE = 3;
    uint256 internal constant NODES = 2;

    uint256[HOSTILE] internal keys = [OWNER_KEY, STRANGER_KEY, 0xBAD];
    uint256[NODES] internal nodes;
    uint256[NODES] internal walletKeys = [OWNER_KEY, OWNER_KEY];
    Batch[] internal batches;
    mapping(uint256 batch => Rating[]) internal leaves;
    uint256 internal nonces;
    uint256 internal time = START;
    Rating internal held; // a receipt that was not rated with yet
    address internal heldSigner;

    constructor() {
        super.setUp();
        nodes[0] = node;
        vm.prank(owner);
        nodes[1] = identity.register("");
        for (uint256 i = 0; i < HOSTILE; ++i) {
            vm.deal(vm.addr(keys[i]), 1 ether);
        }
        bond(client, BOND);
        checkpoint();
        rate(0, 100, 3);
        rate(1, -100, 2);
    }

    /// @dev Do nothing: the fuzzer calls every public function, and a second deployment would forget the first.
    function setUp() public override {}

    function wait(uint256 howLong) external {
        time += howLong % 3 days;
        vm.warp(time);
    }

    function checkpoint() public {
        vm.warp(time);
        uint256[] memory both = new uint256[](NODES);
        (both[0], both[1]) = (nodes[0], nodes[1]);
        reliability.checkpoint(both);
    }

    /// @dev Rate with receipts of the present wallet: clients refuse any other.
    function rate(uint8 target, int8 value, uint8 count) public {
        vm.warp(time);
        target = target % uint8(NODES);
        if (value == 0 || value < -100 || value > 100 || identity.ownerOf(nodes[target]) == client) return;
        if (identity.getAgentWallet(nodes[target]) != vm.addr(walletKeys[target])) return;
        checkpoint();
        KeyPeriods memory own = reliability.keyHistory(nodes[target], client);
        if (own.ownerSince != 0 && own.ownerUntil >= time) return;
        Rating[] memory list = new Rating[](count % 4 + 1);
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = issue(target, value);
        }
        send(list);
    }

    /// @dev Ask, and rate only later.
    function ask(uint8 target, int8 value) external {
        vm.warp(time);
        target = target % uint8(NODES);
        if (value == 0 || value < -100 || value > 100 || identity.ownerOf(nodes[target]) == client) return;
        if (identity.getAgentWallet(nodes[target]) != vm.addr(walletKeys[target])) return;
        checkpoint();
        held = issue(target, value);
        heldSigner = vm.addr(walletKeys[target]);
    }

    function rateHeld() external {
        vm.warp(time);
        uint256 rated = held.receipt.node;
        if (rated == 0 || time > held.receipt.issuedAt + 30 days || identity.ownerOf(rated) == client) return;
        checkpoint();
        KeyPeriods memory own = reliability.keyHistory(rated, client);
        uint256 until = reliability.keyHistory(rated, heldSigner).walletUntil;
        if ((own.ownerSince != 0 && own.ownerUntil >= time) || (until < time && until + 2 days < time)) return;
        send(one(held));
        delete held;
    }

    function issue(uint8 target, int8 value) private returns (Rating memory rating) {
        rating = honest(++nonces, value);
        rating.receipt.node = nodes[target];
        rating.receipt.issuedAt = uint64(time);
        return rate(rating.receipt, walletKeys[target], value);
    }

    function send(Rating[] memory list) private {
        sumUp(list);
        Batch memory batch = submit(list);
        for (uint256 i = 0; i < list.length; ++i) {
            leaves[batches.length].push(list[i]);
        }
        batches.push(batch);
    }

    function rotate(uint8 target, uint8 to) external {
        vm.warp(time);
        target = target % uint8(NODES);
        address holder = identity.ownerOf(nodes[target]);
        if (holder == client) return;
        uint256 deadline = time + 60;
        bytes memory consent = walletConsent(nodes[target], keys[to % HOSTILE], holder, deadline);
        vm.prank(holder);
        identity.setAgentWallet(nodes[target], vm.addr(keys[to % HOSTILE]), deadline, consent);
        walletKeys[target] = keys[to % HOSTILE];
    }

    /// @dev Transfer a node to another hostile account, or to the rater, which cannot refuse it.
    function give(uint8 target, uint8 to) external {
        vm.warp(time);
        target = target % uint8(NODES);
        address holder = identity.ownerOf(nodes[target]);
        if (holder == client) return;
        address receiver = to % (HOSTILE + 1) == HOSTILE ? client : vm.addr(keys[to % HOSTILE]);
        vm.prank(holder);
        identity.transferFrom(holder, receiver, nodes[target]);
    }

    function challengeAvailability(uint256 target, uint8 actor, uint256 index) external {
        vm.warp(time);
        target = target % batches.length;
        address auditor = vm.addr(keys[actor % HOSTILE]);
        if (auditor.balance < FEE) return;
        Batch memory batch = batches[target];
        index = index % leaves[target].length;
        vm.prank(auditor);
        try reliability.challengeAvailability{value: FEE}(batch, index) {} catch {}
    }

    function removeUnavailable(uint256 target, uint8 actor, uint8 challenger, uint256 index) external {
        vm.warp(time);
        target = target % batches.length;
        Batch memory batch = batches[target];
        index = index % leaves[target].length;
        vm.prank(vm.addr(keys[actor % HOSTILE]));
        try reliability.voidUnavailable(batch, index, vm.addr(keys[challenger % HOSTILE])) {} catch {}
    }

    function respond(uint256 target, uint8 actor, uint8 challenger, uint256 index) external {
        vm.warp(time);
        target = target % batches.length;
        Batch memory batch = batches[target];
        Proof memory proof = proofOf(leaves[target], index % leaves[target].length);
        vm.prank(vm.addr(keys[actor % HOSTILE]));
        try reliability.respond(batch, proof, vm.addr(keys[challenger % HOSTILE])) {} catch {}
    }

    function challenge(uint256 target, uint256 other, uint256 index, uint256 further, uint8 actor, uint8 how) external {
        vm.warp(time);
        target = target % batches.length;
        other = other % batches.length;
        Batch memory batch = batches[target];
        Proof memory proof = proofOf(leaves[target], index % leaves[target].length);
        address auditor = vm.addr(keys[actor % HOSTILE]);
        if (how % 3 == 0) {
            vm.prank(auditor);
            try reliability.challengeLeaf(batch, proof) {
                assert(false);
            } catch {}
        } else if (how % 3 == 1) {
            Proof memory next = proofOf(leaves[target], further % leaves[target].length);
            vm.prank(auditor);
            try reliability.challengeSum(batch, proof, next) {
                assert(false);
            } catch {}
        } else {
            Proof memory again = proofOf(leaves[other], further % leaves[other].length);
            vm.prank(auditor);
            try reliability.challengeDuplicate(batch, proof, batches[other], again) {
                assert(false);
            } catch {}
        }
    }

    /// @dev Check that nothing is owed out of the rater's bond, and that all of it is free after the last window.
    function checkRater() external view {
        assert(reliability.raterOf(client).bond == BOND && client.balance == 0);
        assert(reliability.bountyOf(client) == 0 && reliability.burnt() == 0);
        for (uint256 i = 0; i < HOSTILE; ++i) {
            assert(reliability.rewardOf(vm.addr(keys[i])).amount == 0);
        }
    }
}

contract HonestRaterTest {
    HostileNetwork internal network;

    function setUp() public {
        network = new HostileNetwork();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(network);
    }

    function invariant_nothingThatOthersDoTakesEtherFromAnHonestRater() public view {
        network.checkRater();
    }
}
