// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IBonds} from "../interfaces/IBonds.sol";
import {Rater} from "../types/Rater.sol";

/// @notice Capital at stake, and the influence it gives. Nobody else can move it, except by proving a fault.
abstract contract Bonds is IBonds {
    /// @inheritdoc IBonds
    uint256 public constant EPOCH = 7 days;
    /// @inheritdoc IBonds
    uint256 public constant WINDOW = 10 days;
    /// @inheritdoc IBonds
    uint256 public constant WEI_PER_INFLUENCE = 1e13;
    /// @inheritdoc IBonds
    uint256 public constant MIN_BOND = 0.01 ether;
    /// @inheritdoc IBonds
    uint256 public burnt;

    mapping(address rater => Rater) internal _raters;

    /// @inheritdoc IBonds
    function bond() external payable {
        Rater storage rater = _raters[msg.sender];
        uint256 total = rater.bond + msg.value;
        if (total > type(uint96).max) revert BondTooLarge(total, type(uint96).max);
        // forge-lint: disable-next-line(unsafe-typecast) -- just checked
        rater.bond = uint96(total);
        emit Bonded(msg.sender, msg.value, total);
    }

    /// @inheritdoc IBonds
    function unbond(uint256 amount) external {
        Rater storage rater = _raters[msg.sender];
        uint256 total = rater.bond;
        if (amount > total) revert BondTooSmall(msg.sender, total, amount);
        uint256 free = uint256(rater.lastBatchAt) + WINDOW;
        if (block.timestamp <= free) revert BondLocked(msg.sender, free);
        // forge-lint: disable-next-line(unsafe-typecast) -- less than before
        rater.bond = uint96(total - amount);
        emit Unbonded(msg.sender, amount, total - amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    /// @inheritdoc IBonds
    function raterOf(address rater) external view returns (Rater memory) {
        return _raters[rater];
    }

    /// @inheritdoc IBonds
    function influenceOf(address account) external view returns (uint256) {
        Rater memory rater = _raters[account];
        uint256 budget = _budget(rater.bond);
        uint256 spent = rater.epoch == currentEpoch() ? rater.spent : 0;
        return budget > spent ? budget - spent : 0;
    }

    /// @inheritdoc IBonds
    function currentEpoch() public view returns (uint256) {
        return block.timestamp / EPOCH;
    }

    /// @dev Use influence of the sender for its next batch: the number of that.
    function _spend(uint256 weight) internal returns (uint32 number) {
        Rater memory rater = _raters[msg.sender];
        if (rater.bond < MIN_BOND) revert BondTooSmall(msg.sender, rater.bond, MIN_BOND);
        uint256 epoch = currentEpoch();
        uint256 spent = rater.epoch == epoch ? rater.spent + weight : weight;
        uint256 budget = _budget(rater.bond);
        if (spent > budget) revert OverBudget(msg.sender, spent, budget);
        number = rater.batches;
        // forge-lint: disable-next-item(unsafe-typecast) -- a budget has 54 bits; seconds fit until 2106
        _raters[msg.sender] = Rater(rater.bond, uint64(spent), uint32(epoch), number + 1, uint32(block.timestamp));
    }

    /// @dev Take all of a bond: half goes to the caller, half is out of everyone's reach for good.
    /// Were all of it the caller's, a cheat could punish itself just before others do, and lose nothing.
    function _seize(address account) internal returns (uint256 reward) {
        uint256 total = _raters[account].bond;
        _raters[account].bond = 0;
        reward = total / 2;
        burnt += total - reward;
    }

    /// @dev Rounded down, so that parts of a bond never have more influence than the whole.
    function _budget(uint256 amount) private pure returns (uint256) {
        return amount / WEI_PER_INFLUENCE;
    }
}
